"""Any text is converted, or refused with a message: never a traceback, never a file outside."""

from __future__ import annotations

import re

from convert_case import GLOBAL, SERVICE, reading_of
from hypothesis import given, settings
from hypothesis import strategies as st

from drctl.convert.conversion import convert
from drctl.convert.options import ConvertOptions
from drctl.errors import DrctlError
from drctl.report.conversion import loss_lines, summary_lines, to_json, to_markdown, tree_lines

FOS = """\
service = fos
failover mail {
    active = 1
    address = 192.0.2.30 eth0:3
    port = 25
    send_program = "/bin/x %h"
    expect = "220"
    use_regex = 1
    start_cmd = "/bin/a b"
    stop_cmd = "/bin/a c"
}
"""
EXTRA = """\
nat_router = 198.51.100.1 eth1:1
nat_nmask = 255.255.255.0
monitor_links = 1
syncdaemon = 1
syncd_iface = eth1
active_cmd = /bin/up
primary_private = 198.51.100.2
tcp_timeout = 5
"""
LINES = [line for line in (EXTRA + GLOBAL + SERVICE + FOS).splitlines() if line.strip()]
ODD = (
    *("0", "-1", "99999999999999999999", "08", "0x50", "", '"', "'", "\\d", "a b", "../x", "{"),
    *("}", "192.0.2.1", "256.1.1.1", "::1", "eth0:1", "nat", "tunnel", "udp", "%h", "\x00", "é"),
    *("$(reboot)", "`x`", "\\", '"\\\\d"', "*", "[", "(", "http", "\u2028", "#x", "!", "0.0.0.0"),
)
VALUES = st.one_of(st.sampled_from(ODD), st.text(max_size=12))


def _with_value(line: str, value: str) -> str:
    """A line with another value, or another name of its block."""
    if line.endswith("{"):
        return f"{line.split()[0]} {value} {{"
    return f"{line.split('=')[0]}= {value}"


LINE = st.one_of(st.sampled_from(LINES), st.builds(_with_value, st.sampled_from(LINES), VALUES))
OPTIONS = st.builds(
    ConvertOptions,
    checks=st.sampled_from(["native", "exact", "strict"]),
    arp=st.sampled_from(["sysctl", "arptables", "nftables", "iptables", "nft-redirect"]),
    net=st.sampled_from(["systemd", "networkd", "networkmanager", "ifcfg", "ifupdown"]),
    is_backup_forced=st.booleans(),
    checks_every_mark_block=st.booleans(),
)


def _run(text: str, options: ConvertOptions, dialect: str = "lvs.cf") -> None:
    reading = reading_of(text, "x", dialect)
    try:
        conversion = convert(reading, options)
        report = conversion.report
    except DrctlError:
        return
    to_json(report).encode()
    to_markdown(report).encode()
    assert all("\n" not in line for line in (*loss_lines(report, "warn"), *summary_lines(report)))
    assert tree_lines(report, "out")
    for rendering in conversion.renderings:
        assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", rendering.host)
        for file in rendering.files:
            assert file.path.startswith("/")
            assert ".." not in file.path.split("/")
    assert len({r.host.lower() for r in conversion.renderings}) == len(conversion.renderings)


@given(st.lists(LINE, max_size=60), OPTIONS)
@settings(max_examples=150, deadline=None)
def test_mutated_lvs_cf_never_makes_convert_fail(lines: list[str], options: ConvertOptions) -> None:
    _run("\n".join(lines) + "\n", options)


@given(st.data(), OPTIONS)
@settings(max_examples=150, deadline=None)
def test_lvs_cf_with_some_lines_changed_never_makes_convert_fail(
    data: st.DataObject, options: ConvertOptions
) -> None:
    lines = (EXTRA + GLOBAL + SERVICE).splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        lines[at] = _with_value(lines[at], data.draw(VALUES))
    _run("\n".join(lines) + "\n", options)


@given(st.text(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_text_never_makes_convert_fail(text: str) -> None:
    _run(text, ConvertOptions(), "lvs.cf")
    _run(text, ConvertOptions(), "keepalived")
