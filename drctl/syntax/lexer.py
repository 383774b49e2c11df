"""Text to leaves: one small lexer, a table of patterns per dialect.

It reads what people meant: a trailing comment or `key=value` in an lvs.cf is read although pulse
rejects the line (`syntax.pulse` says so). It never raises on any text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drctl.quickclass import dataclass
from drctl.syntax.tree import Leaf, LeafKind
from drctl.text.place import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

_OPENING_TAG = re.compile(r"\{\{|\{%|<%")
_TAG = r"\{\{(?:[^{}\n]++|\{[^{}\n]*+\})*+\}\}|\{%[^%\n]*+%\}|<%[^%\n]*+%>"


def find_template_tag(text: str) -> Span | None:
    """Where the first mark of a template (Jinja2, ERB) begins, two code points long; None without
    one. `{{` is no keepalived syntax either."""
    found = _OPENING_TAG.search(text)
    end = len(text) if found is None else found.start()
    start = text.find("{#", 0, end)
    while start >= 0:
        line_end = text.find("\n", start)
        if 0 <= text.find("#}", start + 2) < (line_end if line_end >= 0 else len(text)):
            return Span(start, start + 2)
        if line_end < 0:
            break
        start = text.find("{#", line_end, end)
    return None if found is None else Span(found.start(), found.start() + 2)


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The patterns of one dialect: `prefix` matches blanks and comments (possibly nothing),
    `token` has a named group per leaf kind."""

    prefix: re.Pattern[str]
    token: re.Pattern[str]


def _lexicon(prefix: str, token: str) -> Lexicon:
    # blanks are C's: a no-break space is part of a word
    return Lexicon(re.compile(prefix), re.compile(token, re.ASCII))


# keepalived 2.2.7, parser.c: `#` and `!` start a comment anywhere outside double quotes; every
# brace outside them is a line of its own; single quotes are ordinary characters. `${NAME}` is a
# use of a definition, not two braces.
_KEEPALIVED_PREFIX = r"\ufeff?(?:[ \t\n\r\f\v]+|[#!][^\n]*)*"
_KEEPALIVED_TOKEN = (
    r'(?P<QUOTED>"[^"\n]*")|(?P<ERROR>"[^\n]*)|(?P<OPEN>\{)|(?P<CLOSE>\})'
    r'|(?P<WORD>(?:\$\{[^{}\s"]*\}|[^\s"#!{}])+)'
)

# lvsconfig.c of Piranha 0.8.6 takes `#` as a comment only at the start of a line; people write it
# behind values too. A quoted value ends at a quote that a blank or the line's end follows, or else
# at the last quote of the line.
_LVS_CF_PREFIX = r"\ufeff?(?:[ \t\n\r\f\v]+|#[^\n]*)*"
_LVS_CF_TOKEN = (
    r'(?P<QUOTED>"(?:\\.|[^"\\\n])*"(?=[\s#{}]|$)|"[^\n]*"(?=[ \t\r]*(?:[#\n]|$))'
    r"|'(?:\\.|[^'\\\n])*'(?=[\s#{}]|$)|'[^\n]*'(?=[ \t\r]*(?:[#\n]|$)))"
    r"|(?P<ERROR>[\"'][^\n]*)"
    r"|(?P<OPEN>\{)|(?P<CLOSE>\})|(?P<EQUALS>=)"
    r"|(?P<WORD>[^\s=\"'{}#][^\s=\"{}]*|[^\s])"
)
_LVS_CF_VALUE = re.compile(r"[^\s{]+(?:\{(?![ \t\r]*$)[^\s{]*)*|\{", re.MULTILINE | re.ASCII)

LEXICONS = {
    "keepalived": _lexicon(_KEEPALIVED_PREFIX, _KEEPALIVED_TOKEN),
    "lvs.cf": _lexicon(_LVS_CF_PREFIX, _LVS_CF_TOKEN),
}
TEMPLATE_LEXICONS = {
    "keepalived": _lexicon(
        _KEEPALIVED_PREFIX,
        _KEEPALIVED_TOKEN.replace("(?P<OPEN>", rf'(?P<TAGGED>(?:{_TAG}|[^\s"#!{{}}])+)|(?P<OPEN>'),
    ),
    "lvs.cf": _lexicon(
        _LVS_CF_PREFIX,
        rf"(?P<TAGGED>(?:{_TAG}|[^\s=\"'{{}}#])+)|" + _LVS_CF_TOKEN,
    ),
}

_KINDS = {kind.name: kind for kind in LeafKind} | {"TAGGED": LeafKind.WORD}


def lex(text: str, dialect: str, *, is_template: bool = False) -> Iterator[Leaf]:
    """Leaves of `text` in order, an END leaf last; their texts and prefixes concatenate to it."""
    lexicon = (TEMPLATE_LEXICONS if is_template else LEXICONS)[dialect]
    match_prefix, match_token = lexicon.prefix.match, lexicon.token.match
    is_lvs_cf = dialect == "lvs.cf"
    has_equals = False
    position, size = 0, len(text)
    while True:
        start = position
        if blank := match_prefix(text, position):
            position = blank.end()
        prefix = text[start:position]
        is_first = start == 0 or "\n" in prefix
        if position >= size:
            yield Leaf(LeafKind.END, "", prefix, position, is_first)
            return
        if is_first:
            has_equals = False
        token = match_token(text, position)
        kind = _KINDS[token.lastgroup or "ERROR"] if token else LeafKind.ERROR
        end = token.end() if token else position + 1
        if is_lvs_cf and has_equals and kind in {LeafKind.WORD, LeafKind.EQUALS, LeafKind.CLOSE}:
            kind, end = _value(text, position, kind, end)
        if kind is LeafKind.EQUALS:
            has_equals = True
        yield Leaf(kind, text[position:end], prefix, position, is_first)
        position = end


def _value(text: str, position: int, kind: LeafKind, end: int) -> tuple[LeafKind, int]:
    """Behind the equals sign of an lvs.cf line everything but blanks is part of a word: a second
    `=`, a `#` inside it. A closing brace alone still closes."""
    if kind is LeafKind.CLOSE:
        return kind, end
    if found := _LVS_CF_VALUE.match(text, position):
        return LeafKind.WORD, max(end, found.end())
    return LeafKind.WORD, end
