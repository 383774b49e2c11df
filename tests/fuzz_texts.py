"""Texts for fuzzing: the pieces that configurations consist of, made from the tables, and ways to
put them together and to change them."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from typing import NamedTuple

from corpus import PROJECT, keepalived_files, piranha_files
from hypothesis import strategies as st

from drctl.schema.load import load_dialect

CASES = PROJECT / "tests" / "fuzz" / "cases"
"""Inputs that failed once, in a folder for each target."""
_LARGEST_SEED_BYTES = 4096
_SIGN_WORDS = """ { } " "" ' # ! \\ \\# = $ @ ~ , ( ) - / % {# {{x}} {%if%} <%=x%> """
_SIGNS = (
    *_SIGN_WORDS.split(),
    *(" {\n", "}\n", "\n", "\r\n", "\r", "\\\n", " ", "\t", "\f", "\v", "\0"),
    *("\u00e9", "\u00a0", "\u0660", "\u2028", "\ufeff", "\U0001f600"),
    *("# drctl: ignore[DR201]\n", "# drctl: ignore\n"),
)
_EXPANDING = (
    *("$A", "${A}", "$A=", "$A=1\n", "$B=$A\\\n", "$B", "\n$C=a \\\nb\n$C\n", "$A $A "),
    *("${_PWD}", "$_HASH ", "${_BANG}", "${_INSTANCE}", "${_ENV HOME}"),
    *("${_RANDOM 1 9}", "${_RANDOM 9 1}", "$i", "${j}"),
    *("@lb1 ", "@^lb1 ", "@lb2 ", "@", "@^", "@a|b "),
    *("~SEQ(i,3) ", "~SEQ(i,1,2,9) ", "~SEQx(i,9)", "~SEQ(i,$A)", "~SEQ(i,99999999999) "),
    *("~LST(i,a,b) ", "~LST({i,j},{1,2},{3,4}) "),
    *("include b.conf\n", "include *.conf\n", "include {b,c}.conf\n", "include main.conf\n"),
    *("includea no\n", "include ", "include_check match\n", "include_check -read +brace_match\n"),
    *("\n%%%% b.conf\n", "\n%%%% c.conf\n", "\n%%%% version 2.4.3\n", "\n%%%% version 1.3.5\n"),
)
_VALUE_WORDS = """
0 1 -1 5 51 255 256 65535 65536 4294967296 0x10 007 1.5 0.0001 1e9 inf nan 99999999999999999999
192.0.2.1 192.0.2.1/24 192.0.2.1-9 192.0.2.1/33 0.0.0.0 2001:db8::1 2001:db8::1/64 fe80::1 ::
eth0 eth0:1 V1 MASTER BACKUP weight dev brd + scope label table via nexthop from to fwmark group
inet6 on off reverse tcp DR wlc /bin/sh 200 200-299 ff00 0f:* id inst maxlen default
"""
_VALUES = (*_VALUE_WORDS.split(), '"/bin/a \'b c\' \\"d"')
_LVS_CF = (
    *("virtual v {\n", "server s {\n", "failover f {\n", "active = 1\n", "backup_active = 1\n"),
    *("primary = 192.0.2.1\n", "backup = 192.0.2.2\n", "service = lvs\n", "service = fos\n"),
    *("address = 192.0.2.1 eth0:1\n", "vip_nmask = 255.255.255.0\n", "port = http\n"),
    *("network = direct\n", "network = nat\n", "load_monitor = ruptime\n"),
    *('send = "GET / HTTP/1.0\\r\\n\\r\\n"\n', 'expect = "HTTP"\n'),
)


class Pieces(NamedTuple):
    """What texts of a dialect consist of, by kind; a kind is chosen first, so that rare signs come
    as often as the many keywords."""

    signs: tuple[str, ...]
    special: tuple[str, ...]
    values: tuple[str, ...]
    keywords: tuple[str, ...]
    lines: tuple[str, ...]
    headers: tuple[str, ...]


@cache
def pieces(dialect: str) -> Pieces:
    """The pieces of `keepalived` or `lvs.cf`: keywords and examples from the tables."""
    keywords: dict[str, None] = {}
    lines: dict[str, None] = {}
    headers: dict[str, None] = {}
    for block in load_dialect(dialect).blocks.values():
        lines.update((case.text + "\n", None) for case in block.cases)
        for name, keyword in block.keywords.items():
            keywords[name + " "] = None
            lines.update((case.text + "\n", None) for case in keyword.cases if len(case.text) < 400)
            if keyword.opens is not None:
                name = " ".join([name, *("V1" for one in keyword.args if not one.optional)])
                headers[name + " {\n"] = None
    special = _LVS_CF if dialect == "lvs.cf" else _EXPANDING
    values = (*_VALUES, *(f"{value} " for value in _VALUES))
    return Pieces(
        _SIGNS, special, values, tuple(keywords), tuple(lines), (*headers, *["}\n"] * len(headers))
    )


def seeds(target: str, dialect: str) -> list[bytes]:
    """Inputs to begin with: what failed once, what the project and its corpus have."""
    cases = sorted((CASES / target).glob("*"))
    given = keepalived_files() if dialect == "keepalived" else piranha_files()
    examples = sorted((PROJECT / "examples").rglob("*.cf"))
    found = [path.read_bytes() for path in (*cases, *examples, *given)]
    found += [_in_blocks(line, dialect) for line in pieces(dialect).lines[:400]]
    return [raw for raw in found if len(raw) <= _LARGEST_SEED_BYTES]


def _in_blocks(line: str, dialect: str) -> bytes:
    outer = "virtual v {\n" if dialect == "lvs.cf" else "vrrp_instance V1 {\n"
    return f"{outer}{line}}}\n{line}".encode()


def texts(dialect: str) -> st.SearchStrategy[bytes]:
    """Any bytes, and rather often bytes that are nearly a configuration."""
    piece = st.one_of(*map(st.sampled_from, pieces(dialect)), st.text(max_size=4))
    joined = st.lists(piece, max_size=40).map("".join)
    encoded = joined.map(lambda text: text.encode("utf-8", "surrogatepass"))
    return st.one_of(encoded, encoded, encoded, st.binary(max_size=200))


def mutated(raw: bytes, chance: random.Random, dialect: str) -> bytes:
    """`raw` with one thing changed, in pieces rather than in bytes."""
    lines = raw.splitlines(keepends=True)
    what = chance.randrange(7)
    if what == 0 and lines:
        del lines[chance.randrange(len(lines))]
    elif what == 1 and lines:
        lines.insert(chance.randrange(len(lines)), chance.choice(lines))
    elif what == 2 and len(lines) > 1:
        one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
        lines[one], lines[other] = lines[other], lines[one]
    else:
        piece = chance.choice(chance.choice(pieces(dialect))).encode("utf-8", "surrogatepass")
        if what == 3:
            lines.insert(chance.randrange(len(lines) + 1), piece)
        else:
            at = chance.randrange(len(raw) + 1)
            end = at + (chance.randrange(9) if what == 4 else 0)
            return raw[:at] + piece + raw[end:]
    return b"".join(lines)


def dictionary(dialect: str, path: Path) -> None:
    """Write the short pieces as libFuzzer's `-dict` takes them."""
    known = pieces(dialect)
    words = (*known.signs, *known.special, *known.values, *known.keywords)
    entries = [word.encode() for word in words if len(word) > 1]
    quoted = ("".join(f"\\x{byte:02x}" for byte in entry) for entry in entries)
    path.write_text("".join(f'"{entry}"\n' for entry in quoted), encoding="ascii")
