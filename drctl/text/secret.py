"""Passwords in configuration text: where they stand, and text without them."""

from __future__ import annotations

import re

MASK = "********"

_SECRET = re.compile(
    r"(\b(?:auth_pass|password)[ \t]*[= \t][ \t]*|\bkey[ \t]+[0-9]+[ \t]+)"
    r"""("[^"\n]*"?|[^\s{}"]+)"""
)
_SENT = re.compile(
    r"((?:\b|(?<=\\[rnt]))(?:Authorization:[ \t]*(?:[A-Za-z]+[ \t]+)?"
    r"|PASS[ \t]+(?!auth_pass\b)|AUTH[ \t]+(?:(?:PLAIN|LOGIN)[ \t]+)?))"
    r"""([^\s"'\\]+)"""
)
"""What a check sends: HTTP, and the words of POP3, FTP, SMTP and Redis."""
_ARGUMENT = re.compile(
    r"((?<![\w-])--?(?:pass(?:wd|word|phrase)?|secret|token)[= \t][ \t]*"
    r"|(?<!\S)-u[ \t]*[^\s:]+:|\bmysql\S*[ \t](?:\S+[ \t]+){0,20}?-p(?=\S)"
    r"""|://[^\s/:@"']*:(?=[^\s/@"']*@))([^\s"'@]+)"""
)
"""What a check program is told: `--password X`, `-u NAME:X`, mysql's `-pX`, NAME:X@ in a URL."""
_HINT = re.compile(r"pass|key|secret|token|auth|://|-[pu]", re.IGNORECASE)
_DEFINITION = re.compile(r"(\$\w*(?:PASS|SECRET|KEY|TOKEN)\w*[ \t]*=[ \t]*)([^\n]+)", re.IGNORECASE)


def masked(text: str) -> str:
    """`text` with every password replaced by `MASK`: the value of `auth_pass` wherever it stands,
    keys of `auth_hmac`, definitions whose name says that they are one, and those that checks send
    or give to their programs, as far as they look like one."""
    if _HINT.search(text) is None:
        return text
    for pattern in (_SENT, _ARGUMENT):
        text = pattern.sub(rf"\1{MASK}", text)
    return _DEFINITION.sub(rf"\1{MASK}", _SECRET.sub(rf"\1{MASK}", text))
