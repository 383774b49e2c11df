"""What is wrong with the words of one statement."""

from __future__ import annotations

from drctl.quickclass import dataclass


@dataclass(frozen=True, slots=True)
class Complaint:
    """`word` counts the statement's words from 0, without the keyword; advice is taken as it is
    written or changed a little, anything else is dropped or not understood."""

    word: int
    text: str
    is_advice: bool = False


def error(word: int, text: str) -> Complaint:
    """The program does not take this."""
    return Complaint(word, text)


def advice(word: int, text: str) -> Complaint:
    """The program takes this, but says something."""
    return Complaint(word, text, is_advice=True)


def missing_after(word: int, option: str) -> Complaint:
    """Nothing stands behind an option that needs a value."""
    return Complaint(word, f"{option} without a value")
