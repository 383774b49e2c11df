"""The words of a script line, which keepalived splits by rules of its own, and its command's.

The line is split first, and its second word, the command, once more. Up to 2.3.1 both replace
escapes; from 2.3.2 on only the second does, so that each escape counts once. `regex` is split once,
and its escapes are replaced in all versions. Facts: `alloc_strvec_quoted_escaped` and
`alloc_strvec_quoted` of lib/parser.c and their callers, keepalived 2.2.7 to 2.4.3.
"""

from __future__ import annotations

import re

ESCAPED_ONCE = (2, 3, 2)
"""From here on an escape in a script line counts once, and `\\x` takes two digits at most."""
SPLIT_ONCE = "regex"
"""The keyword whose word is no command."""

Version = tuple[int, ...]

_PART = re.compile(
    r"""\\(?:x([0-9a-fA-F]+)|c([^\n])|([0-7]{1,3})|(.))"""
    r"""|(["'])|([ \t\n\r\f\v]+)|([^\\"' \t\n\r\f\v]+)""",
    re.DOTALL,
)
_LONG_NUMBER = re.compile(r"\\(?:x([0-9a-fA-F]{3,})|c?.)", re.DOTALL)
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


def line_words(text: str, version: Version) -> tuple[str, ...] | None:
    """The words of a line with a script keyword other than `regex`, as its handler gets them; None
    as in `script_words`."""
    return _words(text, version, keeps_escapes=version >= ESCAPED_ONCE)


def script_words(text: str, version: Version) -> tuple[str, ...] | None:
    """The words of a command: quotes of both kinds group and vanish, escapes are replaced. None
    when a quote has no end or the text ends in the middle of an escape; keepalived passes over a
    quote without end that the text, or an escape, ends behind."""
    return _words(text, version, keeps_escapes=False)


def is_command(text: str, version: Version) -> bool:
    """Whether a logical line with a script keyword has words, and so has its command."""
    words = script_words(text, version)
    if words is not None and words[:1] == (SPLIT_ONCE,):
        return True
    words = line_words(text, version)
    if words is None:
        return False
    return len(words) < 2 or script_words(words[1], version) is not None


def settled(command: str, version: Version) -> str:
    """A command whose words are the same in all versions: hexadecimal numbers of three digits or
    more, which the versions end differently, become octal ones."""
    if "\\x" not in command:
        return command

    def octal(found: re.Match[str]) -> str:
        digits = found[1]
        if digits is None:
            return found[0]
        if version < ESCAPED_ONCE:
            return f"\\{int(digits[-2:], 16):03o}"
        return f"\\{int(digits[:2], 16):03o}{digits[2:]}"

    return _LONG_NUMBER.sub(octal, command)


def _words(text: str, version: Version, *, keeps_escapes: bool) -> tuple[str, ...] | None:
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
            if mark or blank or plain:
                word.append(found[0])
            elif keeps_escapes:
                at = found.start() + 2
                word.append(text[found.start() : at])
            else:
                character, at = _escaped(found, version)
                word.append(character)
    if quote and has_rest:
        return None
    if word is not None:
        words.append("".join(word))
    return tuple(words)


def _escaped(found: re.Match[str], version: Version) -> tuple[str, int]:
    """What an escape stands for, and where it ends; numbers are cut to a byte."""
    hexadecimal, control, octal, letter = found.group(1, 2, 3, 4)
    if hexadecimal is not None:
        if version >= ESCAPED_ONCE:
            return chr(int(hexadecimal[:2], 16)), min(found.end(), found.start(1) + 2)
        return chr(int(hexadecimal[-2:], 16)), found.end()
    if control is not None:
        return chr(ord(control) & 0x1F), found.end()
    if octal is not None:
        return chr(int(octal, 8) & 0xFF), found.end()
    return _ESCAPES.get(letter, letter), found.end()
