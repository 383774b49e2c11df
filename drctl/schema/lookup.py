"""Finds keywords in the tables by what a person types: a word, a path, a word in the wrong case.

Pure: the tables in, what was found out. A path is `BLOCK/KEYWORD` or `BLOCK.KEYWORD`, where BLOCK
is the end of a block's path (`real_server/weight`, `virtual_server/real_server/weight`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from drctl.schema.table import Argument, Block, Dialect, Keyword

ENTRY = "<entry>"
"""Stands for the lines of a value block, which have no keyword."""
DIRECTIVE = "directive"
"""The table of what the lexer takes out before it looks for keywords."""
_OUTERMOST = frozenset({"", "root", "top", "(top level)"})
_LEXER = frozenset({"directive", "lexer", "(lexer)"})
_SEPARATOR = re.compile(r"[/.]")
_MOST_SUGGESTIONS = 3
_LONGEST = 64


class Found(NamedTuple):
    """One meaning of a word: `keyword` and the paths of the blocks that have it, each spelling
    included. `keyword` is None for the lines of a value block, whose path is the only one."""

    dialect: Dialect
    keyword: Keyword | None
    paths: tuple[str, ...]

    @property
    def block(self) -> Block:
        """The first of its blocks."""
        return self.dialect.blocks[self.paths[0]]

    @property
    def name(self) -> str:
        """The keyword as the table spells it; `<entry>` for a line without one."""
        return ENTRY if self.keyword is None else self.keyword.name

    def args_in(self, version: tuple[int, ...]) -> tuple[Argument, ...]:
        """What stands on the line, behind the keyword if there is one."""
        if self.keyword is None:
            return self.block.entry or ()
        return self.keyword.args_in(version)


def find(dialects: Iterable[Dialect], query: str, inside: str | None = None) -> list[Found]:
    """All meanings of `query`, in the order of the tables; `inside` is a block that it must be in.

    A word that is written otherwise is found in any case when no table has it as it is.
    """
    where, word = _split(query)
    blocks = [one for one in (where, inside) if one is not None]
    known = list(dialects)
    for fold in (False, True):
        found = [one for dialect in known for one in _in_dialect(dialect, word, blocks, fold=fold)]
        if found:
            return found
    return []


def _split(query: str) -> tuple[str | None, str]:
    """The block, if the query has one, and the word."""
    text = query.strip()
    if text[:1] in "$@~":
        return None, _directive(text)
    *path, word = [part.strip() for part in _SEPARATOR.split(text.rstrip("/."))]
    word = word.rstrip("{ ") or word
    return ("/".join(path), word) if path else (None, word)


def _directive(text: str) -> str:
    """What the table calls a directive that is written like this."""
    if text[0] == "$":
        return "$NAME="
    if text[0] == "@":
        return "@^ID" if text[1:2] == "^" else "@ID"
    name = re.split(r"[( ]", text, maxsplit=1)[0]
    return f"{name[:4].upper()}{name[4:].lower()}()"


def _in_dialect(dialect: Dialect, word: str, blocks: list[str], *, fold: bool) -> Iterator[Found]:
    wanted = word.lower() if fold else word
    paths: dict[int, list[str]] = {}
    keywords: dict[int, Keyword] = {}
    for path in own_paths(dialect):
        if not all(_is_at(path, block, fold=fold) for block in blocks):
            continue
        block = dialect.blocks[path]
        if wanted == ENTRY:
            if block.entry is not None:
                yield Found(dialect, None, (path,))
            continue
        for name, keyword in block.keywords.items():
            if (name.lower() if fold else name) == wanted:
                keywords[id(keyword)] = keyword
                places = paths.setdefault(id(keyword), [])
                if path not in places:
                    places.append(path)
    for key, keyword in keywords.items():
        yield Found(dialect, keyword, tuple(paths[key]))


def own_paths(dialect: Dialect) -> list[str]:
    """The paths of the blocks that a configuration has, outer ones first."""
    paths = [path for path in dialect.blocks if not path.startswith("common/")]
    return sorted(paths, key=lambda path: (path.count("/") + bool(path), path))


def _is_at(path: str, block: str, *, fold: bool) -> bool:
    """Whether a block's path ends in what somebody wrote."""
    wanted = _SEPARATOR.sub("/", block).strip("/")
    if wanted in _OUTERMOST:
        return not path
    if wanted in _LEXER:
        return path == DIRECTIVE
    if fold:
        path, wanted = path.lower(), wanted.lower()
    return path == wanted or path.endswith(f"/{wanted}")


def suggestions(dialects: Iterable[Dialect], query: str) -> list[str]:
    """Keywords that look like what somebody typed, the best first."""
    from difflib import get_close_matches

    word = _split(query)[1].lower()[:_LONGEST]
    by_lower: dict[str, str] = {}
    for dialect in dialects:
        for path in own_paths(dialect):
            for name in dialect.blocks[path].keywords:
                by_lower.setdefault(name.lower(), name)
    close = get_close_matches(word, list(by_lower), n=_MOST_SUGGESTIONS, cutoff=0.7)
    if not close and len(word) > 2:
        close = [name for name in by_lower if word in name.split("_")][:_MOST_SUGGESTIONS]
    return [by_lower[name] for name in close]


_MOST_NEIGHBOURS, _ENOUGH = 12, 4
_MARKED = re.compile(r"`([A-Za-z][\w-]*)`")
"""Texts mark keywords that they name: `nopreempt`."""


def neighbours(found: Found) -> list[str]:
    """Keywords that belong with one: its successor, those that its text names, those whose text
    names it, those with the same beginning, and where these are few those beside it in the
    table."""
    keyword, block = found.keyword, found.block
    if keyword is None:
        return []
    outer = found.dialect.root.keywords
    everywhere = {**outer, **_globals(found.dialect), **block.keywords}
    own = {keyword.name, *keyword.aliases}
    names: dict[str, None] = {}
    for name in (keyword.replacement, keyword.after, *_named(keyword)):
        if name in everywhere and name not in own:
            names[everywhere[name].name] = None
    for other in block.keywords.values():
        if other.name not in own and not own.isdisjoint(_named(other)):
            names[other.name] = None
    stem = _stem(keyword.name)
    for other in block.keywords.values():
        if stem and other.name not in own and _stem(other.name) == stem:
            names[other.name] = None
    near = [name for name in names if name not in own]
    if len(near) < _ENOUGH:
        near += [name for name in _beside(keyword, block) if name not in near]
    return near[:_MOST_NEIGHBOURS]


def _beside(keyword: Keyword, block: Block) -> list[str]:
    """The keywords before and behind one in the table, whose order is by subject."""
    order = list(dict.fromkeys(one.name for one in block.keywords.values()))
    at = order.index(keyword.name)
    return [name for name in order[max(0, at - 2) : at + 3] if name != keyword.name]


def _globals(dialect: Dialect) -> dict[str, Keyword]:
    if "global_defs" not in dialect.root.keywords:
        return {}
    return dict(dialect.blocks["global_defs"].keywords)


def _named(keyword: Keyword) -> list[str]:
    """The words that a keyword's text marks as such."""
    return _MARKED.findall(" ".join((keyword.doc, *keyword.notes)))


def _stem(name: str) -> str:
    """The first two parts of a long name; the first one of a name of two."""
    parts = name.split("_")
    if len(parts) > 2:
        return "_".join(parts[:2])
    return parts[0] if len(parts) == 2 and parts[0] not in {"vrrp", "lvs", "use"} else ""
