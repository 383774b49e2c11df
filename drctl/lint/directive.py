"""What the target version's lexer does not know yet: directives, built-in names, glued braces.

The text is read as 2.2.7 reads it all the same, so that the rest is judged as it is meant. Facts:
lib/parser.c of all releases from 1.3.0 on; the first versions stand in `grammar/`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drctl.lint import kind
from drctl.schema.table import version_of
from drctl.syntax.expand_line import FileText
from drctl.syntax.expand_text import BLANK, decomment
from drctl.text.diagnostic import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from drctl.schema.table import Block
    from drctl.text.source import SourceFile

BRACES_ANYWHERE = (1, 4, 2)
"""Before, an opening brace is the last word of its line, a closing one the first."""
NEWEST = (2, 4, 0)
"""From here on everything below is known."""
_NAMES = {
    "_PWD": "1.4.3",
    "_INSTANCE": "2.0.1",
    "_RANDOM": "2.0.15",
    "_HASH": "2.1.4",
    "_BANG": "2.1.4",
    "_ENV": "2.4.0",
}
"""Built-in definitions and the first version that has them."""
_PART = re.compile(r"(?:^|[{}])[ \t]*")
_DIRECTIVE = re.compile(
    r"(?P<include>include[rmwba])(?=[ \t])|(?P<condition>@\^?)[^ \t]*[ \t]*"
    r"|(?P<name>\$[A-Za-z_]\w*=)|(?P<repeat>~(?:SEQx?|LST))[ \t]*\(",
    re.ASCII,
)
_USE = re.compile(r"\$\{?(" + "|".join(_NAMES) + r")\b", re.ASCII)
_LEFT_OUT = re.compile(r'"[^"]*"|\$\{[^}]*\}')
_GLUED = re.compile(r"\{(?=[ \t]*[^ \t])|(?<=[^ \t{}])\{|(?<=[^ \t])[ \t]*\}|\}(?=[ \t]*[^ \t])")
_SIGNS = ("include", "@", "$", "~", "{", "}")
_SIGNS_SINCE_2_2 = ("_ENV",)
"""What a line must have that there may be something newer in it; the last name came alone."""


class _Newer:
    """A part of a line that is newer than the target: columns from 0, and what to say."""

    __slots__ = ("begin", "end", "hint", "since", "what")

    def __init__(self, span: tuple[int, int], what: str, since: str, hint: str = "") -> None:
        self.begin, self.end = span
        self.what = what
        self.since = since
        self.hint = hint


def newer_syntax(
    sources: Iterable[SourceFile], directives: Block, version: tuple[int, ...]
) -> Iterator[Diagnostic]:
    """What `version` does not know yet, one finding for each kind in a line."""
    if version >= NEWEST:
        return
    shown = ".".join(map(str, version))
    what = kind.NEWER_SYNTAX
    signs = _SIGNS_SINCE_2_2 if version >= (2, 2, 0) else _SIGNS
    for source in sources:
        if not any(sign in source.text for sign in signs):
            continue
        file = FileText(source, ())
        for number, raw in enumerate(source.text.split("\n"), 1):
            if not any(sign in raw for sign in signs):
                continue
            told: set[str] = set()
            for one in _in_line(raw, directives, version):
                if one.what in told:
                    continue
                told.add(one.what)
                place = file.columns(number, one.begin, one.end)
                message = f"{one.what} from {one.since} on, {shown} does not"
                hint = one.hint or "write it out, or say --target-version"
                yield Diagnostic(place, what.code, what.name, what.severity, message, hint)


def _in_line(raw: str, directives: Block, version: tuple[int, ...]) -> Iterator[_Newer]:
    clean = decomment(raw)
    text = raw if clean.comment < 0 else raw[: clean.comment]
    for found in _directives(text):
        keyword = directives.keywords[_keyword_of(found[0])]
        if keyword.since is not None and version_of(keyword.since) > version:
            what = f"keepalived knows {keyword.name}"
            hint = "write include" if found[0].startswith("include") else ""
            yield _Newer(found.span(found.lastgroup or 0), what, keyword.since, hint)
    for found in _USE.finditer(text):
        since = _NAMES[found[1]]
        if version_of(since) > version:
            yield _Newer(found.span(), f"keepalived knows ${{{found[1]}}}", since)
    if version < BRACES_ANYWHERE:
        blank = _LEFT_OUT.sub(lambda found: "x" * len(found[0]), text.rstrip())
        if glued := _GLUED.search(blank):
            end = glued.end()
            what = "keepalived finds braces everywhere in a line"
            hint = "let '{' be the last word of its line and '}' stand on a line of its own"
            yield _Newer((end - 1, end), what, "1.4.2", hint)


def _directives(text: str) -> Iterator[re.Match[str]]:
    for part in _PART.finditer(text):
        if text.count('"', 0, part.start()) % 2:
            continue
        at = part.end()
        while found := _DIRECTIVE.match(text, at):
            yield found
            if found.lastgroup not in ("condition", "repeat"):
                break
            at = found.end()
            if found.lastgroup == "repeat":
                close = text.find(")", at)
                at = close + len(text[close + 1 :]) - len(text[close + 1 :].lstrip(BLANK)) + 1
                if close < 0:
                    break


def _keyword_of(text: str) -> str:
    """The directive as its table spells it."""
    if text.startswith("@"):
        return "@^ID" if text.startswith("@^") else "@ID"
    if text.startswith("$"):
        return "$NAME="
    if text.startswith("~"):
        return text.partition("(")[0].rstrip() + "()"
    return text
