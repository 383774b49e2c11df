"""Where in a text a statement stands: in which blocks, by counting braces.

Knows no keyword, so that it finds places without the code whose findings are compared.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

Words = tuple[str, ...]
Place = tuple[str, int]
"""File, as keepalived calls it, and line."""


class Statement(NamedTuple):
    """A logical line: `around` are the headers of the blocks that it is in, outer ones first."""

    words: Words
    around: tuple[Words, ...]

    @property
    def headers(self) -> tuple[Words, ...]:
        """The headers around it and itself, which may be one."""
        return (*self.around, self.words)


def statements_by_line(lines: Iterable[tuple[Place, Words]]) -> dict[Place, list[Statement]]:
    """The statements of each line; of braces alone too."""
    found: defaultdict[Place, list[Statement]] = defaultdict(list)
    open_blocks: list[Words] = []
    before: Words = ("",)
    for place, words in lines:
        if words == ("{",):
            open_blocks.append(before)
        found[place].append(Statement(words, tuple(open_blocks)))
        if words == ("}",) and open_blocks:
            open_blocks.pop()
        before = words
    return dict(found)


def named_blocks(statement: Statement, keyword: str, names: Mapping[str, str]) -> bool:
    """Whether a statement is in, or opens, a block of `keyword` with one of the `names`."""
    return any(
        words[0] == keyword and _is_named(words, keyword, names) for words in statement.headers
    )


def _is_named(words: Words, keyword: str, names: Mapping[str, str]) -> bool:
    if keyword == "virtual_server":
        return _is_service(words[1:], names["service"])
    return words[1:2] == (next(iter(names.values())),)


def _is_service(words: Sequence[str], shown: str) -> bool:
    """Whether the words behind virtual_server are those of a service as keepalived shows it:
    `[ADDRESS]:PROTOCOL:PORT`, `[GROUP]:0`, `FWM MARK`."""
    if shown.startswith("FWM "):
        return words[:1] == ("fwmark",) and _number(words[1:2]) == _number((shown[4:],))
    name, _, rest = shown.removeprefix("[").partition("]")
    if words[:1] == ("group",):
        return words[1:2] == (name,)
    port = rest.rpartition(":")[2]
    return _address(words[:1]) == _address((name,)) and _number(words[1:2]) == _number((port,))


def _address(words: Sequence[str]) -> str:
    text = "".join(words[:1]).partition("/")[0].partition("-")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text


def _number(words: Sequence[str]) -> int:
    text = "".join(words[:1])
    return int(text) if text.isdecimal() else 0
