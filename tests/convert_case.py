"""An lvs.cf to start from, and its conversion in memory."""

from __future__ import annotations

from typing import Any

from drctl.convert.conversion import Conversion, convert
from drctl.convert.ledger import Verdict
from drctl.convert.options import ConvertOptions
from drctl.convert.report import Entry
from drctl.readers import keepalived, lvs_cf
from drctl.readers.reading import Reading
from drctl.syntax.parser import parse_bytes

GLOBAL = """\
primary = 192.0.2.2
backup = 192.0.2.3
backup_active = 1
network = direct
keepalive = 6
deadtime = 18
"""

SERVICE = """\
virtual web {
    active = 1
    address = 192.0.2.10 eth0:1
    vip_nmask = 255.255.255.0
    port = 80
    send = "GET / HTTP/1.0\\r\\n\\r\\n"
    expect = "HTTP"
    scheduler = rr
    protocol = tcp
    timeout = 6
    reentry = 6
    server web1 {
        address = 192.0.2.21
        active = 1
        weight = 1
    }
    server web2 {
        address = 192.0.2.22
        active = 1
        weight = 1
    }
}
"""


def reading_of(text: str, path: str = "lvs.cf", dialect: str = "lvs.cf") -> Reading:
    """`text` read in a dialect."""
    document = parse_bytes(path, text.encode(), dialect)
    return lvs_cf.read(document) if dialect == "lvs.cf" else keepalived.read(document)


def converted(text: str = GLOBAL + SERVICE, **options: Any) -> Conversion:
    """The conversion of an lvs.cf."""
    return convert(reading_of(text), ConvertOptions(**options))


def changed(old: str, new: str, text: str = GLOBAL + SERVICE) -> str:
    """`text` with its one or first `old` replaced."""
    assert old in text, f"{old!r} is not in the text"
    return text.replace(old, new, 1)


def without(line: str, text: str = GLOBAL + SERVICE) -> str:
    """`text` without its first line that begins like `line`."""
    lines = text.splitlines(keepends=True)
    at = next(i for i, each in enumerate(lines) if each.strip().startswith(line))
    return "".join(lines[:at] + lines[at + 1 :])


def director_file(conversion: Conversion, host: str = "primary") -> str:
    """keepalived.conf of a director."""
    return file_of(conversion, host, "/etc/keepalived/keepalived.conf")


def file_of(conversion: Conversion, host: str, path: str) -> str:
    """Text of a generated file."""
    rendering = next(r for r in conversion.renderings if r.host == host)
    return next(file.text for file in rendering.files if file.path == path)


def hosts(conversion: Conversion) -> list[str]:
    """Folder names, in order."""
    return [rendering.host for rendering in conversion.renderings]


def all_texts(conversion: Conversion) -> dict[tuple[str, str], str]:
    """Every generated file, installers too."""
    return {
        (rendering.host, file.path): file.text
        for rendering in conversion.renderings
        for file in (*rendering.installers, *rendering.files)
    }


def entry(conversion: Conversion, statement: str, number: int = 0) -> Entry:
    """The account of the statement that begins like `statement`; of several the one counted."""
    found = [e for e in conversion.report.entries if e.statement.startswith(statement)]
    assert found, f"{statement!r} is not in the report"
    return found[number]


def verdict(conversion: Conversion, statement: str, number: int = 0) -> Verdict:
    """What became of a statement, in a word."""
    return entry(conversion, statement, number).verdict


def choice(conversion: Conversion, what: str) -> str:
    """The value chosen for something."""
    return next(c.value for c in conversion.report.choices if c.what == what)
