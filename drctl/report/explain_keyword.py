"""What a keyword is, from the tables: as text for people and as values for JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drctl.report.explain_text import Page, number
from drctl.schema.lookup import DIRECTIVE, ENTRY, Found, neighbours
from drctl.schema.option import homes_of, options_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drctl.schema.table import Argument, Block, Dialect, Keyword

_AGAIN = {
    "replaces": "the last one counts",
    "reported": "the last one counts, and keepalived says so",
    "refused": "the first one counts, a second one is refused",
    "kept": "the first one counts, a second one is ignored",
    "adds": "each one counts",
}
_MISSING = {
    "stops": "keepalived stops at a line without a value",
    "refused": "a line without a value is refused",
    "ignored": "a line without a value is ignored",
}
_PROCESSES = {
    "parent": "the parent process",
    "checker": "the process that checks real servers",
    "vrrp": "the VRRP process",
    "bfd": "the BFD process",
}
_EVERY_PROCESS = 4
_BOOLEAN = "boolean"


def is_known(found: Found, version: tuple[int, ...]) -> bool:
    """Whether a release knows the keyword in one of its blocks."""
    keyword = found.keyword
    return keyword is None or any(
        found.dialect.blocks[path].knows(keyword, version) for path in found.paths
    )


def _first_versions(found: Found, keyword: Keyword) -> dict[str | None, list[str]]:
    """The blocks that have the keyword since the same version."""
    firsts: dict[str | None, list[str]] = {}
    for path in found.paths:
        since = found.dialect.blocks[path].since_of(keyword)
        firsts.setdefault(since, []).append(path.rpartition("/")[2])
    return firsts


def shown_path(path: str) -> str:
    """A block's path for people."""
    if path == DIRECTIVE:
        return "any block (the lexer)"
    return path or "the outermost level"


def usage(found: Found, version: tuple[int, ...]) -> str:
    """`advert_int TIME`, `use_vmac [DEVICE...]`, `vrrp_instance NAME { ... }`."""
    is_equals = found.dialect.lexical.equals == "required"
    keyword = found.keyword
    words = [] if keyword is None else [keyword.name]
    if keyword is not None and is_equals and keyword.opens is None:
        words.append("=")
    for argument in found.args_in(version):
        shown = argument.name.upper().replace("_", "-")
        if argument.values and len(argument.values) <= 4:
            shown = "|".join(argument.values)
        if argument.repeated:
            shown += "..."
        words.append(f"[{shown}]" if argument.optional else shown)
    if keyword is not None and keyword.opens is not None:
        words.append("{ ... }")
    text = " ".join(words)
    return (
        text.replace(f"{keyword.name} VALUE", f"{keyword.name}VALUE")
        if (keyword is not None and keyword.name == "$NAME=")
        else text
    )


_NUMBERS = {
    "unsigned": ("whole number", ""),
    "integer": ("whole number", ""),
    "decimal3": ("number", " with up to 3 decimals"),
    "decimal6": ("number", " with up to 6 decimals"),
}
"""Types of keepalived's numbers, whose range is the argument's own."""
_UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "bytes": "bytes"}


def argument_text(found: Found, argument: Argument) -> str:
    """What an argument takes: its words, or its type, range and unit."""
    unit = found.keyword.unit if found.keyword is not None else None
    if argument.values:
        return f"one of {', '.join(argument.values)}"
    if argument.type in _NUMBERS and _is_keepalived(found):
        what, decimals = _NUMBERS[argument.type]
        of, without = (f" of {_UNITS[unit]}", ", without the unit") if unit else ("", "")
        parts = [f"{what}{of}{decimals}{without}"]
    else:
        parts = [found.dialect.types[argument.type]]
        if unit:
            parts.append(f"in {_UNITS[unit]}")
    if argument.minimum is not None or argument.maximum is not None:
        low = "" if argument.minimum is None else number(argument.minimum)
        high = "" if argument.maximum is None else number(argument.maximum)
        parts.append(f"range {low}..{high}")
    return "; ".join(parts)


def _is_keepalived(found: Found) -> bool:
    return found.dialect.name == "keepalived"


def default_text(keyword: Keyword) -> str:
    """The value that counts without the keyword and those that it follows, with its unit; empty
    when there is none."""
    if keyword.default is None:
        return ""
    return f"{keyword.default} {keyword.unit}" if keyword.unit else keyword.default


def unset_text(keyword: Keyword) -> str:
    """What counts without the keyword: the keywords that it follows, then its default."""
    names = [*map(followed_text, keyword.default_from), default_text(keyword)]
    return ", else ".join(filter(None, names))


def followed_text(name: str) -> str:
    """A keyword that another one follows, for people."""
    block, _, keyword = name.rpartition(".")
    return f"{keyword} of {block}" if block else keyword


def repeat_text(found: Found) -> str:
    """What a second statement does."""
    keyword = found.keyword
    if keyword is None:
        return "as many lines as you like"
    if keyword.opens is not None and keyword.args and _is_keepalived(found):
        return f"as many as you like; of two with the same name {_AGAIN[keyword.again]}"
    if keyword.repeatable or keyword.again == "adds":
        return "as many as you like"
    return _AGAIN[keyword.again]


def versions(found: Found, keyword: Keyword) -> list[str]:
    """When the keyword came, changed, was deprecated and went, in words."""
    lines = []
    firsts = _first_versions(found, keyword)
    for since, blocks in firsts.items():
        where = f" in {', '.join(blocks)}" if len(firsts) > 1 else ""
        if since or where:
            lines.append(f"since {since}{where}" if since else f"always{where}")
    for version, arguments in keyword.newer:
        told = [f"{one.name.upper()} ({argument_text(found, one)})" for one in arguments]
        lines.append(f"since {version} with {' '.join(told) or 'no argument'}")
    if keyword.deprecated:
        instead = f", use {keyword.replacement}" if keyword.replacement else ""
        lines.append(f"deprecated since {keyword.deprecated}{instead}")
    if keyword.removed:
        instead = f", use {keyword.replacement}" if keyword.replacement else ""
        lines.append(f"not known to {keyword.removed} and later{instead}")
    return lines


def example(found: Found) -> str:
    """A statement as people write it; else the first that the dialect's own program accepts."""
    keyword = found.keyword
    if keyword is not None and keyword.example:
        return keyword.example
    if keyword is not None and not keyword.required and keyword.opens is None:
        return keyword.name
    cases = found.block.cases if keyword is None else keyword.cases
    return next((case.text for case in cases if case.is_accepted), found.name)


def to_text(found: Sequence[Found], version: tuple[int, ...], width: int) -> str:
    """A page for each meaning, the block it stands in first."""
    return "\n".join(_page(one, version, width) for one in found)


def _page(found: Found, version: tuple[int, ...], width: int) -> str:
    page = Page(width)
    keyword, block = found.keyword, found.block
    name = found.name
    places = ", ".join(map(shown_path, found.paths))
    page.line(f"{name} ({found.dialect.name}, in {places})")
    page.blank()
    page.line(f"    {usage(found, version)}")
    page.blank()
    if not is_known(found, version):
        page.paragraph(f"keepalived {'.'.join(map(str, version))} does not know this keyword.")
    page.paragraph(block.doc if keyword is None else keyword.doc)
    for note in keyword.notes if keyword is not None else ():
        page.item(note)
    page.blank()
    for argument in found.args_in(version):
        label = argument.name.upper().replace("_", "-")
        page.row(label, argument_text(found, argument))
        _words(page, argument)
    _facts(page, found)
    if keyword is not None and keyword.opens is not None:
        _inside(page, found.dialect.blocks[keyword.opens], found)
    page.code("example", example(found))
    if names := neighbours(found):
        page.row("see also", ", ".join(names))
    return page.text()


def _words(page: Page, argument: Argument) -> None:
    """The words that an argument with a structure of its own may have."""
    for word, text in options_of(argument.type).items():
        page.row(f"  {word}", text)


def _facts(page: Page, found: Found) -> None:
    keyword, block = found.keyword, found.block
    if keyword is None:
        page.row("repeat", repeat_text(found))
        return
    if keyword.aliases:
        page.row("aliases", ", ".join(keyword.aliases))
    if default := unset_text(keyword):
        page.row("default", default)
    if keyword.advised is not None:
        low, high = ("" if end is None else number(end) for end in keyword.advised)
        page.row("advised", f"{low}..{high}; another value is reported")
    if keyword.longest is not None:
        what = "cut" if keyword.is_cut else "refused"
        page.row("length", f"at most {keyword.longest} bytes, more are {what}")
    if keyword.required and block.path != DIRECTIVE:
        page.row("missing", _MISSING[keyword.missing].replace("keepalived", _program(found)))
    if keyword.args or keyword.opens is not None:
        page.row("repeat", repeat_text(found).replace("keepalived", _program(found)))
    if keyword.after is not None:
        page.row("order", f"counts only below {keyword.after}")
    if told := versions(found, keyword):
        page.row("versions", "; ".join(told))
    readers = block.read_by
    if readers and len(readers) < _EVERY_PROCESS:
        page.row("read by", ", ".join(_PROCESSES[one] for one in readers))


def _program(found: Found) -> str:
    return "keepalived" if _is_keepalived(found) else "pulse"


def _inside(page: Page, block: Block, found: Found) -> None:
    """What stands between the braces of a block."""
    if block.entry is not None:
        for argument in block.entry:
            kind = found.dialect.types[argument.type]
            page.row("each line", f"{argument.name.upper()}: {kind}")
            _words(page, argument)
        return
    if block.raw:
        page.row("inside", "text that is no statements")
        return
    if block.required:
        page.row("required", ", ".join(block.required))
    if block.keywords:
        names = dict.fromkeys(keyword.name for keyword in block.keywords.values())
        page.row("inside", ", ".join(names))


def words_text(dialect: Dialect, word: str, width: int) -> str:
    """A page for each meaning of a word inside an argument; empty when there is none."""
    meanings: dict[str, list[str]] = {}
    for path, keyword, text in homes_of(dialect, word):
        meanings.setdefault(text, []).append(f"{path}/{keyword}".strip("/"))
    pages = []
    for text, places in meanings.items():
        page = Page(width)
        page.paragraph(f"{word} ({dialect.name}, a word on the lines of {', '.join(places)})")
        page.blank()
        page.paragraph(text)
        page.row("more", f"drctl explain {places[0]}")
        pages.append(page.text())
    return "\n".join(pages)


def words_json(dialect: Dialect, word: str) -> list[dict[str, Any]]:
    """The same for programs."""
    return [
        {"block": path, "keyword": keyword or None, "doc": text}
        for path, keyword, text in homes_of(dialect, word)
    ]


def to_json(found: Sequence[Found], version: tuple[int, ...]) -> list[dict[str, Any]]:
    """The same for programs (docs/explain.md)."""
    return [_as_json(one, version) for one in found]


def _as_json(found: Found, version: tuple[int, ...]) -> dict[str, Any]:
    keyword, block = found.keyword, found.block
    return {
        "dialect": found.dialect.name,
        "keyword": found.name,
        "blocks": list(found.paths),
        "usage": usage(found, version),
        "doc": block.doc if keyword is None else keyword.doc,
        "notes": list(keyword.notes) if keyword is not None else [],
        "arguments": [_argument_json(found, one) for one in found.args_in(version)],
        "default": keyword.default if keyword is not None else None,
        "default_from": list(keyword.default_from) if keyword is not None else [],
        "unit": keyword.unit if keyword is not None else None,
        "repeat": "adds" if keyword is None or keyword.repeatable else keyword.again,
        "aliases": list(keyword.aliases) if keyword is not None else [],
        "since": block.since_of(keyword) if keyword is not None else None,
        "deprecated": keyword.deprecated if keyword is not None else None,
        "removed": keyword.removed if keyword is not None else None,
        "replacement": keyword.replacement if keyword is not None else None,
        "known": is_known(found, version),
        "read_by": list(block.read_by),
        "inside": _inside_json(found),
        "example": example(found),
        "neighbours": neighbours(found),
    }


def _argument_json(found: Found, argument: Argument) -> dict[str, Any]:
    return {
        "name": argument.name,
        "type": argument.type,
        "means": found.dialect.types[argument.type],
        "words": dict(options_of(argument.type)),
        "optional": argument.optional,
        "repeated": argument.repeated,
        "values": list(argument.values),
        "minimum": argument.minimum,
        "maximum": argument.maximum,
    }


def _inside_json(found: Found) -> list[str] | None:
    if found.keyword is None or found.keyword.opens is None:
        return None
    block = found.dialect.blocks[found.keyword.opens]
    if block.entry is not None:
        return [ENTRY]
    return list(dict.fromkeys(keyword.name for keyword in block.keywords.values()))
