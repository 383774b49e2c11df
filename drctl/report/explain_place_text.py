"""What stands on a line of a keepalived.conf, as text for people and as values for JSON."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from drctl.lint.section import Section
from drctl.report.explain_block import Reading
from drctl.report.explain_default import Around, Unset, left_out, unset
from drctl.report.explain_keyword import default_text
from drctl.report.explain_place import MOST_READINGS, PlaceView
from drctl.report.explain_text import Page
from drctl.syntax.expand_line import visible
from drctl.text.secret import MASK, masked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drctl.schema.table import Dialect
    from drctl.syntax.expanded import Line, Step

_SECRET = frozenset({"auth_pass", "password", "key"})
_MOST_STEPS = 12
_MOST_DEFAULTS = 12
_LONGEST = 200
_NUMBER = re.compile(r"[0-9.]+")


class Setting(NamedTuple):
    """What a view is told with: the tables, the target version, the identity for conditions.
    `is_template` files are no configuration yet."""

    dialect: Dialect
    version: tuple[int, ...]
    identity: str
    is_template: bool = False


def to_text(view: PlaceView, setting: Setting, width: int) -> str:
    """The page."""
    page = Page(width)
    text = visible(view.source.line(view.number), _LONGEST)
    page.line(f"{view.source.path}:{view.number}: {masked(_hidden(view, text))}".rstrip(": "))
    if not view.readings:
        for header in view.around[-1:]:
            page.line(f"  in {_header(header, view.source.path)}")
    _what(page, view, setting)
    for reading in view.readings:
        page.blank()
        _reading(page, view, reading, setting)
    _more(page, view.total, len(view.readings), "effective lines")
    _definition(page, view)
    _findings(page, view)
    return page.text()


def _what(page: Page, view: PlaceView, setting: Setting) -> None:
    """What the line is, other than statements."""
    for condition in view.conditions:
        sign = "@^" if condition.is_negated else "@"
        shown = f"{sign}{condition.name}"
        identity = f"this is {setting.identity or 'a host without a name'}"
        if condition.is_met:
            page.paragraph(f"The condition {shown} holds: {identity} (--config-id).", "  ")
        else:
            page.paragraph(f"Not read because of {shown}: {identity} (--config-id).", "  ")
    for one in view.included:
        lines = f"{one.lines or 'no'} effective line{'s' if one.lines != 1 else ''}"
        page.paragraph(f"Includes {one.path}: {lines}.", "  ")
    if view.only_parent:
        page.paragraph("Only the process that reads global_defs sees this line.", "  ")
    if view.is_fragment:
        text = (
            "This file alone is the inside of a block; --main FILE names the file that includes it."
        )
        page.paragraph(text, "  ")
    if setting.is_template:
        text = "This file is a template: what keepalived reads is what is made of it."
        page.paragraph(text, "  ")
    if kind := kind_of(view):
        page.paragraph(kind, "  ")


def kind_of(view: PlaceView) -> str:
    """What a line is that gives no effective line: a comment, nothing, a definition."""
    if view.readings or view.included or view.conditions:
        return ""
    if view.definition is not None:
        return "" if view.uses else "A definition that is used nowhere."
    text = view.source.line(view.number).strip()
    if not text:
        return "An empty line."
    if text[0] in "#!":
        return "A comment."
    if view.findings:
        return "Nothing of this line is read; the findings below say why."
    if text.startswith("include"):
        return "An include that brings nothing."
    return "Nothing of this line is read."


def _reading(page: Page, view: PlaceView, reading: Reading, setting: Setting) -> None:
    line, here = reading.line, view.source.path
    if line.words == ("}",) and view.closed is not None:
        page.row("closes", _header(view.closed, here))
        return
    if line.words == ("}",):
        page.row("brace", "closes nothing")
        return
    if line.words == ("{",):
        page.row("brace", "opens a block")
        return
    page.row("read as", statement(reading))
    if reading.headers:
        page.row("in", *(_header(header, here) for header in reading.headers))
    for text in origins(reading, here):
        page.row("from", text)
    page.row("counts", counts(reading, here))
    keyword = reading.keyword
    if keyword is not None:
        _keyword(page, view, reading, setting)
    elif reading.block is not None and reading.block.entry is not None:
        for argument in reading.block.entry:
            page.row("entry", f"{argument.name.upper()}: {setting.dialect.types[argument.type]}")
        page.row("means", f"{reading.block.doc} (drctl explain {reading.block.path})")
    if reading.opened is not None:
        _inside(page, view, reading, setting)


def _around(view: PlaceView, sections: tuple[Section, ...], setting: Setting) -> Around:
    return Around(sections, view.settings, setting.dialect, setting.version)


def _unset_text(found: Unset, here: str) -> str:
    """The value that counts where a keyword is missing, and the line that it comes from."""
    line = found.line
    if line is None:
        return default_text(found.keyword)
    return f"{visible(masked(' '.join(line.words)))} ({_where(line.path, line.number, here)})"


def _keyword(page: Page, view: PlaceView, reading: Reading, setting: Setting) -> None:
    keyword = reading.keyword
    assert keyword is not None
    if value := value_text(reading):
        page.row("value", value)
    if reading.block is not None:
        found = unset(keyword, reading.block, _around(view, reading.sections, setting))
        if default := _unset_text(found, view.source.path):
            page.row("default", f"{default}, without this line")
    page.row("means", keyword.doc)
    if reading.block is not None and not reading.block.knows(keyword, setting.version):
        page.row("version", f"{'.'.join(map(str, setting.version))} does not know it")
    path = reading.block.path if reading.block is not None else ""
    name = f"{path}/{keyword.name}" if path else keyword.name
    page.row("more", f"drctl explain {name}")


def value_text(reading: Reading) -> str:
    """A number with its unit, what a switch is set to; empty for other values."""
    keyword, words = reading.keyword, reading.words
    if keyword is None or not keyword.args:
        return ""
    kind = keyword.args[0].type
    if kind == "boolean":
        word = words[1] if len(words) > 1 else "on"
        return {"true": "on", "yes": "on", "false": "off", "no": "off"}.get(word, word)
    if keyword.unit and len(words) > 1 and _NUMBER.fullmatch(words[1]):
        return f"{words[1]} {keyword.unit}"
    return ""


def _inside(page: Page, view: PlaceView, reading: Reading, setting: Setting) -> None:
    """What a block sets, and what counts for what it leaves out."""
    section = reading.opened
    assert section is not None
    given = list(dict.fromkeys(_names(section)))
    if section.block.entry is not None:
        lines = sum(not isinstance(item, Section) for item in section.items)
        page.row("inside", f"{lines} line{'s' if lines != 1 else ''}")
        return
    if given:
        page.row("sets", ", ".join(given))
    left = list(left_out(section, _around(view, (*reading.sections, section), setting)))
    for name, found in left:
        if found.line is not None:
            page.row("follows", f"{name}: {_unset_text(found, view.source.path)}")
    left = [(name, found) for name, found in left if found.line is None]
    if left:
        shown = [f"{name} ({default_text(found.keyword)})" for name, found in left[:_MOST_DEFAULTS]]
        if len(left) > _MOST_DEFAULTS:
            shown.append(f"and {len(left) - _MOST_DEFAULTS} more")
        page.row("defaults", ", ".join(shown))


def _names(section: Section) -> Iterator[str]:
    for item in section.items:
        if isinstance(item, Section):
            yield item.block.keyword
        else:
            yield item.words[0]


def _hidden(view: PlaceView, text: str) -> str:
    """The text of a definition without its value, where that is used as a password."""
    defined = view.definition
    if defined is not None and any(_is_secret(one) for one in view.uses):
        for value in filter(None, defined.values):
            text = text.replace(value, MASK)
    return text


def _is_secret(reading: Reading) -> bool:
    return not _SECRET.isdisjoint(reading.words)


def statement(reading: Reading) -> str:
    """The effective words; those with blanks in quotes, passwords masked."""
    shown = [f'"{word}"' if not word or " " in word else word for word in reading.words]
    if _is_secret(reading):
        at = next(at for at, word in enumerate(shown) if word in _SECRET)
        shown[at + 1 :] = [MASK] * len(shown[at + 1 :])
    return visible(masked(" ".join(shown)), _LONGEST)


def origins(reading: Reading, here: str) -> list[str]:
    """The steps by which the line and its words came, outermost includes first."""
    line = reading.line
    is_secret = _is_secret(reading)
    found: dict[str, None] = {}
    for step in line.origin.file.steps:
        where = _where(step.place.path, step.place.line, here)
        found[f"{where}: include {visible(step.value)}"] = None
    if line.is_rewritten:
        for step in line.chain:
            if step.kind != "include":
                found[_step(step, here, is_secret=is_secret)] = None
    told = list(found)
    if len(told) > _MOST_STEPS:
        told = [*told[:_MOST_STEPS], f"and {len(told) - _MOST_STEPS} more"]
    return told


def _step(step: Step, here: str, *, is_secret: bool) -> str:
    value = MASK if is_secret else visible(step.value.replace("\n", " ⏎ "))
    where = _where(step.place.path, step.place.line, here)
    if step.kind == "definition":
        return masked(f"{where}: ${step.name}={value}")
    what = "~LST" if step.kind == "list" else "~SEQ"
    return masked(f"{where}: {what} gives ${{{step.name}}} the value {value}")


def counts(reading: Reading, here: str) -> str:
    """Whether the statement has an effect."""
    if reading.lost_with is not None:
        return f"no: keepalived skips {_header(reading.lost_with, here)} and all that is in it"
    if reading.section is None:
        return "no: keepalived does not take it as a statement of a block here"
    winner = reading.winner
    if reading.is_refused and winner is None:
        return (
            f"not as written: {reading.instead}" if reading.instead else "no: keepalived drops it"
        )
    if winner is not None:
        where = _where(winner.path, winner.number, here)
        return f"no: {visible(masked(' '.join(winner.words)))} ({where}) counts instead"
    rivals = reading.rivals
    if rivals:
        first = rivals[0]
        where = _where(first.path, first.number, here)
        return f"yes, and {visible(masked(' '.join(first.words)))} ({where}) does not"
    return "yes"


def _header(line: Line, here: str) -> str:
    return f"{visible(' '.join(line.words))} ({_where(line.path, line.number, here)})"


def _where(path: str, number: int, here: str) -> str:
    """A place; its line alone when it is in the file that is explained."""
    return f"line {number}" if path == here else f"{path}:{number}"


def _more(page: Page, total: int, shown: int, what: str) -> None:
    if total > shown:
        page.blank()
        page.line(f"  and {total - shown} more {what}")


def _definition(page: Page, view: PlaceView) -> None:
    defined = view.definition
    if defined is None:
        return
    page.blank()
    is_secret = any(_is_secret(one) for one in view.uses)
    values = [MASK] if is_secret else list(map(visible, defined.values[:_MOST_STEPS]))
    first = masked(f"${defined.name}={values[0]} (line {defined.first})")
    page.row("defines", first, *map(masked, values[1:]))
    for reading in view.uses:
        line = reading.line
        where = _where(line.path, line.number, view.source.path)
        page.row("used by", f"{where}: {statement(reading)}")
    if view.use_count > MOST_READINGS:
        page.row("used by", f"and {view.use_count - MOST_READINGS} more effective lines")


def _findings(page: Page, view: PlaceView) -> None:
    found = view.findings
    if found:
        page.blank()
    for one in found:
        where = _where(one.place.path, one.place.line, view.source.path)
        elsewhere = "" if one.place.line == view.number else f" ({where})"
        text = f"{masked(one.message)}{elsewhere} [{one.code} {one.name}]"
        page.row(str(one.severity), text)
        if one.hint:
            page.row("help", one.hint)


def to_json(view: PlaceView, setting: Setting) -> dict[str, Any]:
    """The same for programs (docs/explain.md)."""
    from drctl.report.show import diagnostic_json

    return {
        "path": view.source.path,
        "line": view.number,
        "dialect": setting.dialect.name,
        "text": masked(_hidden(view, view.source.line(view.number))),
        "what": kind_of(view) or None,
        "statements": [_reading_json(view, one, setting) for one in view.readings],
        "count": view.total,
        "conditions": [
            {"name": one.name, "negated": one.is_negated, "met": one.is_met}
            for one in view.conditions
        ],
        "included": [{"path": one.path, "lines": one.lines} for one in view.included],
        "definition": None if view.definition is None else _definition_json(view),
        "diagnostics": [diagnostic_json(one) for one in view.findings],
    }


def _definition_json(view: PlaceView) -> dict[str, Any]:
    defined = view.definition
    assert defined is not None
    is_secret = any(_is_secret(one) for one in view.uses)
    return {
        "name": defined.name,
        "value": [MASK] if is_secret else list(map(masked, defined.values)),
        "line": defined.first,
        "end_line": defined.last,
        "uses": [
            {"path": one.line.path, "line": one.line.number, "statement": statement(one)}
            for one in view.uses
        ],
        "count": view.use_count,
    }


def _reading_json(view: PlaceView, reading: Reading, setting: Setting) -> dict[str, Any]:
    keyword, winner = reading.keyword, reading.winner
    line = reading.line
    place = line.whole
    return {
        "statement": statement(reading),
        "column": place.column,
        "end_column": place.end_column,
        "block": None if reading.block is None else reading.block.path,
        "around": [
            {"statement": " ".join(one.words), "path": one.path, "line": one.number}
            for one in reading.headers
        ],
        "from": [_step_json(reading, step) for step in line.chain],
        "counts": reading.section is not None and not reading.is_refused and winner is None,
        "why": counts(reading, line.path),
        "instead": None if winner is None else {"path": winner.path, "line": winner.number},
        "keyword": None if keyword is None else keyword.name,
        "value": value_text(reading) or None,
        "doc": None if keyword is None else keyword.doc,
        "default": None if keyword is None else keyword.default,
        "unit": None if keyword is None else keyword.unit,
        "default_from": [] if keyword is None else list(keyword.default_from),
        "left_out": [] if reading.opened is None else _left_json(view, reading, setting),
    }


def _left_json(view: PlaceView, reading: Reading, setting: Setting) -> list[dict[str, Any]]:
    section = reading.opened
    assert section is not None
    around = _around(view, (*reading.sections, section), setting)
    rows = []
    for name, found in left_out(section, around):
        line = found.line
        row: dict[str, Any] = {"keyword": name, "default": default_text(found.keyword)}
        if line is not None:
            row["default"] = masked(" ".join(line.words[1:]))
            row["from"] = {"path": line.path, "line": line.number, "keyword": line.words[0]}
        rows.append(row)
    return rows


def _step_json(reading: Reading, step: Step) -> dict[str, Any]:
    is_hidden = step.kind != "include" and _is_secret(reading)
    return {
        "kind": step.kind,
        "name": step.name,
        "value": MASK if is_hidden else masked(step.value),
        "path": step.place.path,
        "line": step.place.line,
    }
