"""Text to leaves: one small lexer, a table of patterns per dialect.

It reads what people meant: a trailing comment or `key=value` in an lvs.cf is read although pulse
rejects the line (`syntax.pulse` says so). It never raises on any text.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from drctl.syntax.tree import END, EQUALS, WORD, Leaf, LeafKind
from drctl.text.place import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

_OPENING_TAG = re.compile(r"\{\{|\{%|<%")
_TAG = r"\{\{[^{}\n]*(?:\{[^{}\n]*\}[^{}\n]*)*\}\}|\{%[^%\n]*%\}|<%[^%\n]*%>"


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


# keepalived 2.2.7, parser.c: `#` and `!` start a comment anywhere outside double quotes; every
# brace outside them is a line of its own; single quotes are ordinary characters. `${NAME}` and
# `${NAME 1 2}` are uses of a definition, not two braces.
_KEEPALIVED_PREFIX = r"\ufeff?(?:[ \t\n\r\f\v]+|[#!][^\n]*)*"
_KEEPALIVED_TOKEN = (
    r'(?P<QUOTED>"[^"\n]*")|(?P<ERROR>"[^\n]*)|(?P<OPEN>\{)|(?P<CLOSE>\})'
    r'|(?P<WORD>(?:\$\{[^{}\s"]*(?: [0-9 ]*)?\}|[^\s"#!{}$]+|\$)+)'
)

# lvsconfig.c of Piranha 0.8.6 takes `#` as a comment only at the start of a line; people write it
# behind values too. A quoted value ends at a quote that a blank or the line's end follows, or else
# at the last quote of the line.
_LVS_CF_PREFIX = r"\ufeff?(?:[ \t\n\r\f\v]+|#[^\n]*)*"
_LVS_CF_TOKEN = (
    r'(?P<QUOTED>"[^"\\\n]*(?:\\.[^"\\\n]*)*"(?=[\s#{}]|$)|"[^\n]*"(?=[ \t\r]*(?:[#\n]|$))'
    r"|'[^'\\\n]*(?:\\.[^'\\\n]*)*'(?=[\s#{}]|$)|'[^\n]*'(?=[ \t\r]*(?:[#\n]|$)))"
    r"|(?P<ERROR>[\"'][^\n]*)"
    r"|(?P<OPEN>\{)|(?P<CLOSE>\})|(?P<EQUALS>=)"
    r"|(?P<WORD>[^\s=\"'{}#][^\s=\"{}]*|[^\s])"
)
_LVS_CF_VALUE = re.compile(r"[^\s{]+(?:\{(?![ \t\r]*$)[^\s{]*)*|\{", re.MULTILINE | re.ASCII)

# Patterns repeat runs of characters, not characters: a repeated group remembers each turn.
_TAGGED = rf'(?:{_TAG}|[^\s"#!{{}}<]+|<)+'
_PATTERNS = {
    ("keepalived", False): (_KEEPALIVED_PREFIX, _KEEPALIVED_TOKEN),
    ("keepalived", True): (
        _KEEPALIVED_PREFIX,
        _KEEPALIVED_TOKEN.replace("(?P<OPEN>", rf"(?P<TAGGED>{_TAGGED})|(?P<OPEN>"),
    ),
    ("lvs.cf", False): (_LVS_CF_PREFIX, _LVS_CF_TOKEN),
    ("lvs.cf", True): (
        _LVS_CF_PREFIX,
        rf"(?P<TAGGED>(?:{_TAG}|[^\s=\"'{{}}#<]+|<)+)|" + _LVS_CF_TOKEN,
    ),
}
"""By dialect and whether the text is a template: the patterns of blanks and comments (possibly
nothing), and of a token, with a named group per leaf kind."""

_KINDS = {kind.name: kind for kind in LeafKind} | {"TAGGED": WORD}


@cache
def _leaf_pattern(dialect: str, *, is_template: bool) -> re.Pattern[str]:
    """One leaf with its prefix, group 1; compiled only for what is read. It matches everywhere."""
    prefix, token = _PATTERNS[dialect, is_template]
    # blanks are C's: a no-break space is part of a word
    return re.compile(f"({prefix})(?:{token})?", re.ASCII)


def lex(text: str, dialect: str, *, is_template: bool = False) -> Iterator[Leaf]:
    """Leaves of `text` in order, an END leaf last; their texts and prefixes concatenate to it."""
    match = _leaf_pattern(dialect, is_template=is_template).match
    is_lvs_cf = dialect == "lvs.cf"
    has_equals = False
    position, size = 0, len(text)
    while True:
        found = match(text, position)
        assert found is not None
        prefix = found[1]
        is_first = position == 0 or "\n" in prefix
        position = found.end(1)
        if position >= size:
            yield Leaf(END, "", prefix, position, is_first)
            return
        if is_first:
            has_equals = False
        # a character that begins no token is a leaf of its own
        kind, end = _KINDS[found.lastgroup or "ERROR"], max(found.end(), position + 1)
        if has_equals:
            if kind is WORD or kind is EQUALS:
                kind, end = WORD, _value_end(text, position, end)
        elif kind is EQUALS:
            has_equals = is_lvs_cf
        yield Leaf(kind, text[position:end], prefix, position, is_first)
        position = end


def _value_end(text: str, position: int, end: int) -> int:
    """Behind the equals sign of an lvs.cf line everything but blanks is part of a word: a second
    `=`, a `#` inside it. A closing brace alone still closes."""
    found = _LVS_CF_VALUE.match(text, position)
    return end if found is None else max(end, found.end())
