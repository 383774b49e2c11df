"""Words that keepalived ignores or takes otherwise than meant, and ways out of mistakes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drctl.lint import kind
from drctl.lint.kind import Problem
from drctl.schema.composite import LINES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drctl.schema.table import Argument, Block, Keyword

_SPLIT_AGAIN = frozenset({"script", "command", "user", "regex", "regex_options"})
"""Types whose words are split by rules of their own."""
_ENUMERATIONS = frozenset({"enum", "enum_any_case", "boolean"})
_NUMBERS = frozenset({"unsigned", "integer", "decimal3", "decimal6"})
_WITH_UNIT = re.compile(r"-?\d+(?:\.\d*)?([A-Za-z%]+)")
_UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "bytes": "bytes"}
_WITH_PORT = re.compile(r"(\d+(?:\.\d+){3}):(\d+)|\[([0-9a-fA-F:.]+)\]:(\d+)")
_DOTTED_PREFIX = re.compile(r"[\d.]+/\d+(?:\.\d+){3}")
_CUT = frozenset({"address", "service", "peer"})
_WITH_SUFFIX = re.compile(r"([0-9a-fA-F.:]+)([-/].*)")
_TEXTS = frozenset({"word", "name", "email", "path", "folder"})
_NO_COMMENTS = ("//", "/*", "*/", ";", "--")


def unused_words(
    block: Block, keyword: Keyword, words: Sequence[str], version: tuple[int, ...]
) -> Problem | None:
    """What is to be said of words that keepalived takes no notice of."""
    arguments = keyword.args_in(version)
    if any(argument.type in _SPLIT_AGAIN for argument in arguments):
        return None
    if cut := cut_address_of(arguments, words[1:]):
        return cut
    for position, word in enumerate(words[1:]):
        if word.startswith("'"):
            text = (
                "keepalived takes single quotes for a part of the word, they hold nothing together"
            )
            return Problem(kind.SINGLE_QUOTES, position, text, "use double quotes")
    is_open = bool(arguments) and (arguments[-1].repeated or arguments[-1].type in LINES)
    if is_open or keyword.extra != "ignored" or len(words) <= 1 + len(arguments):
        return None
    position = len(arguments)
    name, word = words[0], words[1 + position]
    following = next((other for other in words[2:] if other in block.keywords), None)
    if following is not None:
        text = f"{following} is read as one more word of {name} and ignored"
        hint = "write each statement on a line of its own"
        return Problem(kind.IGNORED_WORD, words.index(following, 2) - 1, text, hint)
    if arguments and arguments[-1].type in _TEXTS:
        text = f"only the first word counts for {name}"
        return Problem(kind.IGNORED_WORD, position, text, "put all of it in double quotes")
    takes = f"{name} takes {position} word{'s' if position > 1 else ''}" if position else name
    text = f"{word} is ignored: {takes}{'' if position else ' takes no words'}"
    return Problem(kind.IGNORED_WORD, position, text, "remove it")


def cut_address_of(arguments: Sequence[Argument], words: Sequence[str]) -> Problem | None:
    """A range or prefix behind an address, which keepalived cuts off."""
    for position, (argument, word) in enumerate(zip(arguments, words, strict=False)):
        if argument.type not in _CUT or not (found := _WITH_SUFFIX.fullmatch(word)):
            continue
        text = f"{found[2]} is cut off: only {found[1]} counts"
        hint = "remove it"
        if argument.type == "service":
            hint = "ranges and prefixes need a virtual_server_group"
        return Problem(kind.CHANGED_VALUE, position, text, hint)
    return None


def hint_for_value(keyword: Keyword, arguments: Sequence[Argument], word: str, at: int) -> str:
    """How a value that is refused should be written, empty when nobody can tell."""
    if at >= len(arguments):
        if keyword.opens is not None:
            return "put a name with blanks in double quotes: as it stands the block is skipped"
        return ""
    argument = arguments[at]
    if hint := hint_for_word(word):
        return hint
    if argument.type in _NUMBERS and _WITH_UNIT.fullmatch(word):
        unit = f": it counts {_UNITS[keyword.unit]}" if keyword.unit in _UNITS else ""
        return f"write the number alone{unit}"
    if argument.type in _ENUMERATIONS:
        known = argument.values or ("on", "off", "true", "false", "yes", "no")
        for value in known:
            if value.lower() == word.lower():
                return f"write {value}"
    return ""


def hint_for_word(word: str) -> str:
    """How a word that is refused is usually meant, whatever the statement is."""
    if word.endswith((",", ";")) and len(word) > 1:
        return f"take the {word[-1]} away"
    if found := _WITH_PORT.fullmatch(word):
        host, port = found[1] or found[3], found[2] or found[4]
        return f"write a blank between address and port: {host} {port}"
    if _DOTTED_PREFIX.fullmatch(word) or word == "netmask":
        return "write the length of the prefix: 192.0.2.1/24"
    return ""


def hint_for_unknown(name: str) -> str:
    """What somebody may have meant by a word that is no keyword anywhere."""
    if name.startswith(_NO_COMMENTS):
        return "comments begin with # or !"
    if name.lower().startswith("include"):
        return "there are include, includer, includem, includew, includeb and includea"
    if "=" in name:
        return "there is no equals sign between a keyword and its value"
    return ""
