"""Kinds of findings: a stable code, a name that names the problem, a severity."""

from __future__ import annotations

from typing import NamedTuple

from drctl.syntax.expand_kind import Kind
from drctl.text.diagnostic import Severity

__all__ = ["Kind", "Problem"]


class Problem(NamedTuple):
    """A finding about a statement: `word` counts its words from -1, the keyword."""

    kind: Kind
    word: int
    message: str
    hint: str = ""


_ERROR, _WARNING = Severity.ERROR, Severity.WARNING

# What the tables and the structure of the text can say. Rules have codes from DR300 on.
UNKNOWN_KEYWORD = Kind("DR201", "unknown-keyword", _ERROR)
MISPLACED_KEYWORD = Kind("DR202", "misplaced-keyword", _ERROR)
NEWER_KEYWORD = Kind("DR203", "newer-keyword", _ERROR)
REMOVED_KEYWORD = Kind("DR204", "removed-keyword", _ERROR)
OUTSIDE_ITS_BLOCK = Kind("DR205", "outside-its-block", _ERROR)
MISSING_OPENING_BRACE = Kind("DR206", "missing-opening-brace", _ERROR)
UNEXPECTED_OPENING_BRACE = Kind("DR207", "unexpected-opening-brace", _ERROR)
EXTRA_CLOSING_BRACE = Kind("DR208", "extra-closing-brace", _ERROR)
UNCLOSED_BLOCK = Kind("DR209", "unclosed-block", _ERROR)
MISSING_VALUE = Kind("DR210", "missing-value", _ERROR)
BAD_VALUE = Kind("DR211", "bad-value", _ERROR)
CHANGED_VALUE = Kind("DR212", "changed-value", _WARNING)
DUPLICATE_STATEMENT = Kind("DR213", "duplicate-statement", _ERROR)
REPLACED_STATEMENT = Kind("DR214", "replaced-statement", _WARNING)
NEEDS_EARLIER_STATEMENT = Kind("DR215", "needs-earlier-statement", _ERROR)
DEPRECATED_KEYWORD = Kind("DR216", "deprecated-keyword", _WARNING)
EMPTY_BLOCK = Kind("DR217", "empty-block", _WARNING)
IGNORED_WORD = Kind("DR218", "ignored-word", _WARNING)
OPTIONAL_IN_BUILD = Kind("DR219", "not-in-every-build", _WARNING)
NOT_IN_BUILD = Kind("DR222", "unknown-to-some-builds", _ERROR)
SINGLE_QUOTES = Kind("DR224", "single-quotes", _WARNING)
NEWER_SYNTAX = Kind("DR223", "newer-syntax", _ERROR)
MISSING_STATEMENT = Kind("DR220", "missing-statement", _ERROR)
NO_EFFECT = Kind("DR221", "statement-without-effect", _WARNING)
