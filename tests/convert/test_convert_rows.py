"""Rows of the report for any lvs.cf: no verdict without what it promises, whatever was written."""

from __future__ import annotations

import random

import pytest
from convert_case import all_texts, reading_of

from drctl.convert.conversion import convert
from drctl.convert.ledger import Verdict
from drctl.convert.options import ConvertOptions
from drctl.convert.report import Entry

_ADDRESSES = tuple(f"{net}.{n}" for net in ("192.0.2", "198.51.100") for n in range(1, 9))
_DEVICES = ("eth0", "eth0:1", "eth0:2", "eth1:1", "bond0.7:3", "eth0:longlonglonglabel", "1", "")
_NUMBERS = (
    *("0", "1", "2", "6", "10", "180", "-1", "08", "0x10", "1.5", "", "99999999999", "abc"),
    *("6;", "6 # c", "70000"),
)
_MASKS = ("255.255.255.0", "255.255.255.255", "0.0.0.0", "24", "255.0.255.0", "x")
_WORDS: dict[str, tuple[str, ...]] = {
    "primary": (*_ADDRESSES, "0.0.0.0", "lb1", "2001:db8::1"),
    "backup": (*_ADDRESSES, "0.0.0.0", "lb2"),
    "primary_private": _ADDRESSES,
    "backup_private": _ADDRESSES,
    "backup_active": ("0", "1", "1", "yes", "2"),
    "network": ("direct", "nat", "tunnel", "DR", "x"),
    "service": ("lvs", "lvs", "fos", "x"),
    "nat_nmask": _MASKS,
    "vip_nmask": _MASKS,
    "pmask": _MASKS,
    "syncd_iface": ("eth0", "eth1", "a b"),
    "active_cmd": ("/bin/a", '"/bin/a b"', "/bin/a; /bin/b", "'/bin/x'", "\"sh -c 'a'\""),
    "inactive_cmd": ("/bin/a", '"/bin/a b"'),
    "start_cmd": ('"/etc/init.d/x start"', "\"a 'b'\""),
    "stop_cmd": ('"/etc/init.d/x stop"',),
    "port": ("80", "80", "443", "21", "25", "http", "nosuch", "0", "993", "53"),
    "protocol": ("tcp", "udp", "UDP", "sctp"),
    "fwmark": ("1", "1", "2", "0", "-1", "99999999999"),
    "scheduler": ("rr", "wlc", "lblc", "sed", "PCC"),
    "sorry_server": ("192.0.2.9", "web", "127.0.0.1"),
    "send": (r'"GET / HTTP/1.0\r\n\r\n"', '""', r'"a\qb"', "'x y'", "abc"),
    "expect": ('"HTTP"', '"220"', '""', '"*"', '"HTTP/1.1 200"', '"[a"', '"+OK"'),
    "send_program": ('"/bin/c %h %p"', "/bin/c", '"c %h"', '""'),
    "use_regex": ("0", "1"),
    "load_monitor": ("none", "rup", "uptime"),
    "quiesce_server": ("0", "1"),
    "active": ("1", "1", "1", "0"),
}
_GLOBAL = (
    *("primary", "backup", "primary_private", "backup_private", "backup_active", "network"),
    *("service", "nat_router", "nat_nmask", "syncdaemon", "syncd_iface", "syncd_id", "foo"),
    *("tcp_timeout", "active_cmd", "inactive_cmd", "keepalive", "deadtime", "monitor_links"),
    *("hard_shutdown", "heartbeat_port", "serial_no", "primary_shared"),
)
_BLOCK = (
    *("active", "address", "vip_nmask", "port", "protocol", "fwmark", "scheduler", "persistent"),
    *("pmask", "sorry_server", "send", "expect", "send_program", "use_regex", "load_monitor"),
    *("quiesce_server", "timeout", "reentry", "client_monitor", "start_cmd", "stop_cmd", "bar"),
)
_OPTIONS = (
    ConvertOptions(),
    ConvertOptions(checks="exact"),
    ConvertOptions(checks="strict", checks_every_mark_block=True),
    ConvertOptions(is_backup_forced=True, arp="iptables", marks="iptables"),
)


def _line(chance: random.Random, keyword: str) -> str:
    if keyword in {"address", "nat_router"}:
        address = chance.choice(("2001:db8::1", *_ADDRESSES[::4]))
        value = f"{address} {chance.choice(_DEVICES)}"
    else:
        value = chance.choice(_WORDS.get(keyword, _NUMBERS))
    return f"{keyword} = {value}\n"


def _server(chance: random.Random) -> str:
    address = chance.choice((*_ADDRESSES, "web.example.com"))
    name = chance.choice(("s1", "s2", '"q r"', "../s"))
    more = (_line(chance, chance.choice(("active", "address", "port", "weight", "baz"))),)
    inside = "".join(more * chance.randint(0, 2))
    return f"server {name} {{\naddress = {address}\nactive = 1\n{inside}}}\n"


def _block(chance: random.Random) -> str:
    kind = chance.choice(("virtual", "virtual", "virtual", "failover"))
    head = chance.choice(("a {", '"b c" {', "x{", "../x\n{"))
    lines = [_line(chance, "active"), _line(chance, "address")]
    lines += [_line(chance, chance.choice(_BLOCK)) for _ in range(chance.randint(0, 9))]
    lines += [_server(chance) for _ in range(chance.randint(0, 3))]
    chance.shuffle(lines)
    return f"{kind} {head}\n{''.join(lines)}}}\n"


def _lvs_cf(chance: random.Random) -> str:
    lines = [_line(chance, one) for one in ("primary", "backup", "backup_active", "network")]
    lines += [_line(chance, chance.choice(_GLOBAL)) for _ in range(chance.randint(0, 8))]
    return "".join(lines + [_block(chance) for _ in range(chance.randint(1, 4))])


def _problem(entry: Entry) -> str:
    if "has a place for it" in entry.why:
        return "is not accounted for"
    match entry.verdict:
        case Verdict.APPROXIMATED if not entry.became:
            return "became nothing"
        case Verdict.REPAIRED if not (entry.became or "what holds without" in entry.why):
            return "" if "no adaptation" in entry.why else "became nothing"
        case Verdict.EXACT if not (entry.became or entry.why):
            return "says nothing"
        case Verdict.DROPPED if entry.became or not entry.why:
            return "became something, or nobody says why not"
        case _:
            return ""


@pytest.mark.parametrize("seed", range(8))
def test_row_of_any_file_keeps_what_its_verdict_promises(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(25):
        text = _lvs_cf(chance)
        conversion = convert(reading_of(text), chance.choice(_OPTIONS))
        assert all_texts(conversion)
        for entry in conversion.report.entries:
            assert not _problem(entry), f"{entry}\n{text}"
