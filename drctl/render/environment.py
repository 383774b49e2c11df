"""The one jinja2 environment, and the way a rendered line remembers the statements it came from.

A template prints `{{ at(object, "field") }}` anywhere on a line; it leaves a mark that `render`
takes out again and turns into the line's origins. Every printed value passes `_refuse`: nothing
with a line end, another control character or a mark of ours gets into a file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import jinja2

from drctl import __version__
from drctl.errors import UnsafeValue
from drctl.model.origin import SELF
from drctl.render.keepalived_line import Lines
from drctl.render.keepalived_word import argument, command, comment, decimal, runs
from drctl.render.rendered import RenderedFile
from drctl.render.trusted import NOTHING, Trusted, refuse_line
from drctl.resources import resource_dir
from drctl.text.place import Place

_MARK, _MARK_END = "\ue000", "\ue001"
"""Around the number of a mark in a text on its way."""

_FRONT_MATTER = re.compile(r"\A\{#---\n(.*?)---#\}\n?", re.DOTALL)
_WORD = re.compile(r"[^\s\"'{}#!\\$`;&|<>()*?~]+")


@dataclass(frozen=True, slots=True)
class Target:
    """A template's front matter. `kind` is `director`, `real-server` or `host` (both); `path` is
    where its file lies on that host; `supports` names features (dotted)."""

    name: str
    kind: str
    path: str
    mode: int
    supports: frozenset[str]
    doc: str
    template: str


def word(value: object) -> str:
    """`value` as one bare word in any of our targets, or UnsafeValue."""
    text = str(value)
    if not _WORD.fullmatch(text):
        raise UnsafeValue(f"{text!r} cannot be written as a single word in the target's format")
    return text


def quoted(value: object) -> str:
    """`value` in double quotes for keepalived, which knows no escapes inside them."""
    text = str(value)
    if '"' in text:
        raise UnsafeValue(f"{text!r} holds a double quote, which the target's format cannot say")
    return f'"{text}"'


def shell(value: object) -> str:
    """`value` as one word of a POSIX shell, in single quotes."""
    return "'" + str(value).replace("'", "'\\''") + "'"


def render(name: str, **names: Any) -> tuple[str, dict[int, tuple[Place, ...]]]:
    """Text of the template `name` and, for each line that has some, the places it came from.

    Raises UnsafeValue when a value would break out of the target's syntax.
    """
    if len(_MADE) >= _MOST_MADE or len(_PLACES) >= _MOST_PLACES:
        _MADE.clear()
        _PLACES.clear()

    def mark(places: Iterable[Place]) -> Trusted:
        """Mark the line with places that are no field's."""
        found = tuple(places)
        if not found:
            return NOTHING
        _PLACES.append(found)
        return Trusted(f"{_MARK}{len(_PLACES) - 1}{_MARK_END}")

    def at(subject: Any, *fields: str) -> Trusted:
        """Mark the line with the origins of `subject`'s `fields` (none: of the object itself)."""
        origins = subject.origins
        return mark(p for key in fields or (SELF,) for p in origins.get(key, ()))

    def at_one(subject: Any, field: str, index: int) -> Trusted:
        """Mark the line with the origin of one value of several: that of its own statement, all of
        the field's where some statements gave more than one."""
        places = subject.origins.get(field, ())
        is_own = len(places) == len(getattr(subject, field))
        return mark(places[index : index + 1] if is_own else places)

    def at_all(subject: Any) -> Trusted:
        """Mark the line with all origins of `subject`."""
        return mark(p for places in subject.origins.values() for p in places)

    def once(make: Any, subject: object, *rest: object) -> Trusted:
        """`make(subject, *rest)`, a macro's text that depends on nothing else, made once for one
        and the same object: both directors have the same services, their servers the same check."""
        key = (make.name, id(subject), *rest)
        known = _MADE.get(key)
        if known is None:
            known = _MADE[key] = _Made(subject, make(subject, *rest))
        return known.text

    template = _environment().get_template(name)
    ours = {"at": at, "at_one": at_one, "at_all": at_all, "mark": mark, "once": once}
    text = template.render(**ours, field=Lines(at), version=__version__, **names)
    return _take_marks(text)


class _Made(NamedTuple):
    """A macro's text of `subject`, marks and all."""

    subject: object
    text: Trusted


_MOST_MADE = 4096
_MADE: dict[tuple[object, ...], _Made] = {}
"""By identity of the subject, which the entry keeps alive, and the macro's other arguments."""

_MOST_PLACES = 1_000_000
_PLACES: list[tuple[Place, ...]] = []
"""What the marks stand for: a mark is a number into this list, in whichever rendering it is."""


def rendered_file(target: Target, **names: Any) -> RenderedFile:
    """The file of one target; `path` may use the names given to the template (`{{ }}`)."""
    text, origins = render(target.template, **names)
    path = target.path
    if "{{" in path:
        path = _environment().from_string(path).render(**names)
    return RenderedFile(path, text, target.mode, origins, target.name)


@lru_cache(maxsize=1)
def targets() -> dict[str, Target]:
    """All templates with a front matter, by the name it gives, in alphabetical order."""
    found = {}
    base = resource_dir("templates")
    for file in sorted(base.rglob("*.j2")):
        text = file.read_text(encoding="utf-8")
        if matter := _FRONT_MATTER.match(text):
            values = tomllib.loads(matter[1])
            found[values["name"]] = Target(
                name=values["name"],
                kind=values["for"],
                path=values["path"],
                mode=int(values.get("mode", "0644"), 8),
                supports=frozenset(values.get("supports", ())),
                doc=values["doc"],
                template=file.relative_to(base).as_posix(),
            )
    return dict(sorted(found.items()))


class _Environment(jinja2.Environment):
    """Text put together by a template (a macro's result) may be printed: each of its values has
    passed `_refuse`."""

    @staticmethod
    def concat(parts: Iterable[str]) -> Trusted:
        """Join what a template or a macro printed."""
        return Trusted("".join(parts))


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    environment = _Environment(
        loader=jinja2.FileSystemLoader(str(resource_dir("templates"))),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # it would turn & in a password into &amp;
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_refuse,
    )
    environment.filters.update(word=word, quoted=quoted, shell=shell)
    environment.filters.update(
        argument=argument, command=command, comment=comment, decimal=decimal, runs=runs
    )
    return environment


def _refuse(value: object) -> object:
    """What every printed value passes; jinja2 calls it on constants too, which are ours."""
    if isinstance(value, str) and not isinstance(value, Trusted):
        return refuse_line(value)
    return value


def _take_marks(text: str) -> tuple[str, dict[int, tuple[Place, ...]]]:
    """The text without its marks, and the places that they stand for, by line."""
    first, *marked = text.split(_MARK)
    if not marked:
        return text, {}
    plain, number = [first], 1 + first.count("\n")
    found: dict[int, tuple[Place, ...]] = {}
    for part in marked:
        index, _, rest = part.partition(_MARK_END)
        places = _PLACES[int(index)]
        known = found.get(number)
        found[number] = places if known is None else known + places
        plain.append(rest)
        number += rest.count("\n")
    lines = "".join(plain).split("\n")
    for number, places in found.items():
        lines[number - 1] = lines[number - 1].rstrip(" ")
        if len(places) > 1:
            found[number] = tuple(dict.fromkeys(places))
    return "\n".join(lines), found
