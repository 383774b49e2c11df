"""Passwords in configuration text: where they stand, and text without them."""

from __future__ import annotations

import re

MASK = "********"

_SECRET = re.compile(
    r"(\b(?:auth_pass|password)[ \t]*[= \t][ \t]*|\bkey[ \t]+[0-9]+[ \t]+)"
    r"""("[^"\n]*"?|[^\s{}"]+)"""
)
_DEFINITION = re.compile(r"(\$\w*(?:PASS|SECRET|KEY|TOKEN)\w*[ \t]*=[ \t]*)([^\n]+)", re.IGNORECASE)


def masked(text: str) -> str:
    """`text` with every password replaced by `MASK`: the value of `auth_pass` wherever it stands,
    keys of `auth_hmac`, definitions whose name says that they are one."""
    return _DEFINITION.sub(rf"\1{MASK}", _SECRET.sub(rf"\1{MASK}", text))
