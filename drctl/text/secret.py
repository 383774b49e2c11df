"""Passwords in configuration text: where they stand, and text without them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

MASK = "********"

_SECRET = (
    r"(\b(?:auth_pass|password)[ \t]*[= \t][ \t]*|\bkey[ \t]+[0-9]+[ \t]+)"
    r"""("[^"\n]*"?|'[^'"\n]*'|[^\s{}"]+)"""
)
_SENT = (
    r"((?:\b|(?<=\\[rnt]))(?:Authorization:[ \t]*(?:[A-Za-z]+[ \t]+)?"
    r"|PASS[ \t]+(?!auth_pass\b)|AUTH[ \t]+(?:(?:PLAIN|LOGIN)[ \t]+)?))"
    r"""([^\s"'\\]+)"""
)
"""What a check sends: HTTP, and the words of POP3, FTP, SMTP and Redis."""
_ARGUMENT = (
    r"((?<![\w-])--?(?:pass(?:wd|word|phrase)?|secret|token)[= \t][ \t]*"
    r"|(?<!\S)-u[ \t]*[^\s:]+:|\bmysql\S*[ \t](?:\S+[ \t]+){0,20}?-p(?=\S)"
    r"""|://[^\s/:@"']*:(?=[^\s/@"']*@))([^\s"'@]+)"""
)
"""What a check program is told: `--password X`, `-u NAME:X`, mysql's `-pX`, NAME:X@ in a URL."""
# Compiled when a text has a hint of a password: most have none, and compiling takes a millisecond.
_HINT = re.compile(r"pass|key|secret|token|auth|://|-[pu]", re.IGNORECASE)
_DEFINITION = r"(?i:(\$\w*(?:PASS|SECRET|KEY|TOKEN)\w*[ \t]*=[ \t]*)([^\n]+))"


def masked(text: str, names: Collection[str] = ()) -> str:
    """`text` with every password replaced by `MASK`: the value of `auth_pass` wherever it stands,
    keys of `auth_hmac`, definitions whose name says that they are one, and those that checks send
    or give to their programs, as far as they look like one. `names` are definitions that hold
    one."""
    if names:
        known = "|".join(map(re.escape, sorted(names)))
        text = re.sub(rf"(\$(?:{known})[ \t]*=[ \t]*)([^\n]+)", rf"\1{MASK}", text)
    if _HINT.search(text) is None:
        return text
    for pattern in (_SENT, _ARGUMENT, _SECRET, _DEFINITION):
        text = re.sub(pattern, rf"\1{MASK}", text)
    return text
