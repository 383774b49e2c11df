"""What a send string asks for, when it is an HTTP request, and what an expect string accepts."""

from __future__ import annotations

import re
from dataclasses import dataclass

_REQUEST = re.compile(
    rb"GET[ ]+(?P<path>/[!-~]*)(?:[ ]+HTTP/(?P<version>1\.[01]))?[ ]*\r?\n(?P<headers>.*)\Z",
    re.DOTALL,
)
_STATUS_PREFIX = re.compile(
    rb"HTTP/1\.[01] (?P<digits>[1-5][0-9]{0,2})(?P<rest>( .*)?)\Z", re.DOTALL
)

ANY_STATUS = (100, 599)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A GET: its path, `1.0` or `1.1` (None: the old form without version), the Host header, and
    whether other headers or a body follow."""

    path: str
    version: str | None
    host: str | None
    is_plain: bool


def parse_request(sent: bytes) -> HttpRequest | None:
    """The request in `sent`; None when it is none that an HTTP checker could make."""
    found = _REQUEST.match(sent)
    if found is None:
        return None
    host, is_plain = None, True
    head, blank, body = found["headers"].replace(b"\r\n", b"\n").partition(b"\n\n")
    if not blank:
        head = head.rstrip(b"\n")
    for line in head.strip(b"\n").split(b"\n"):
        name, colon, value = line.partition(b":")
        if not line:
            continue
        if colon and name.strip().lower() == b"host":
            host = value.strip().decode("latin-1")
        elif not (colon and name.strip().lower() in {b"user-agent", b"accept", b"connection"}):
            is_plain = False
    version = found["version"]
    return HttpRequest(
        found["path"].decode("latin-1"),
        None if version is None else version.decode(),
        host,
        is_plain and not body,
    )


def accepted_statuses(expect: bytes) -> tuple[int, int] | None:
    """The status codes whose reply begins with `expect`: all for `HTTP` and its like, one or a
    range for `HTTP/1.1 200`, None for anything that is no beginning of a status line.

    The version in `expect` is not looked at: a server may answer with another one.
    """
    if expect and (b"HTTP/1.".startswith(expect) or re.fullmatch(rb"HTTP/1\.[01] ?", expect)):
        return ANY_STATUS
    found = _STATUS_PREFIX.match(expect)
    if found is None or (found["rest"] and len(found["digits"]) < 3):
        return None
    digits = found["digits"].decode()
    missing = 3 - len(digits)
    return int(digits + "0" * missing), int(digits + "9" * missing)
