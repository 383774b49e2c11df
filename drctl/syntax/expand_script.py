"""The words of a command line in the configuration, which keepalived splits by rules of its own.

Facts: `alloc_strvec_quoted_escaped` of lib/parser.c, keepalived 2.2.7.
"""

from __future__ import annotations

import re

_PART = re.compile(
    r"""\\(?:x([0-9a-fA-F]+)|c([^\n])|([0-7]{1,3})|(.))"""
    r"""|(["'])|([ \t\n\r\f\v]+)|([^\\"' \t\n\r\f\v]+)""",
    re.DOTALL,
)
_ESCAPES = {
    "a": "\a",
    "b": "\b",
    "E": "\x1b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
}


def script_words(text: str) -> tuple[str, ...] | None:
    """The words of `text`: quotes of both kinds group and vanish, escapes are replaced. None when
    a quote has no end or the text ends in the middle of an escape; keepalived passes over a quote
    without end that the text, or an escape, ends behind."""
    words: list[str] = []
    word: list[str] | None = None
    quote = ""
    has_rest = False
    at = 0
    while at < len(text):
        found = _PART.match(text, at)
        if found is None:
            return None
        at = found.end()
        mark, blank, plain = found[5], found[6], found[7]
        has_rest = bool(quote) and (plain or blank or mark) is not None
        if mark and quote in ("", mark):
            quote = "" if quote else mark
            has_rest = False
            word = word or []
        elif blank and not quote:
            if word is not None:
                words.append("".join(word))
            word = None
        else:
            word = word or []
            word.append(mark or blank or plain or _escaped(found))
    if quote and has_rest:
        return None
    if word is not None:
        words.append("".join(word))
    return tuple(words)


def _escaped(found: re.Match[str]) -> str:
    """What an escape stands for; hexadecimal and octal numbers are cut to a byte."""
    hexadecimal, control, octal, letter = found.group(1, 2, 3, 4)
    if hexadecimal is not None:
        return chr(int(hexadecimal[-2:], 16))
    if control is not None:
        return chr(ord(control) & 0x1F)
    if octal is not None:
        return chr(int(octal, 8) & 0xFF)
    return _ESCAPES.get(letter, letter)


def is_command(text: str) -> bool:
    """Whether a logical line with a script keyword has words, and so has its command, which is
    split once more."""
    words = script_words(text)
    if words is None:
        return False
    return len(words) < 2 or script_words(words[1]) is not None
