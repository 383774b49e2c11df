"""lvs.cf to model: as pulse takes it, and as it was meant where pulse refuses it."""

from __future__ import annotations

import pytest

from drctl.model.configuration import Configuration
from drctl.model.origin import leftovers
from drctl.model.pair import Rank
from drctl.model.service import DIRECT, MASQUERADE, RealServer, VirtualService
from drctl.model.vrrp import Vip
from drctl.readers.lvs_cf import read
from drctl.readers.reading import Reading
from drctl.syntax.parser import parse_bytes
from drctl.text.diagnostic import Severity


def reading(text: str | bytes) -> Reading:
    raw = text if isinstance(text, bytes) else text.encode()
    return read(parse_bytes("x", raw, "lvs.cf"))


def model(text: str | bytes) -> Configuration:
    return reading(text).configuration


def virtual(body: str) -> VirtualService:
    (found,) = model(f"virtual web {{\n{body}\n}}\n").services
    return found


def left(value: object) -> list[tuple[str, str]]:
    return [(found.text, found.reason) for found in leftovers(value)]


def refused(text: str | bytes) -> list[tuple[int, str]]:
    found = [one for one in reading(text).diagnostics if one.name == "pulse-rejects-line"]
    return [
        (one.place.line, one.message.removeprefix("pulse rejects this line: ")) for one in found
    ]


PAIR = """\
primary = 192.0.2.1
primary_private = 198.51.100.1
backup = 192.0.2.2
backup_private = 198.51.100.2
backup_active = 1
keepalive = 6
deadtime = 18
network = direct
monitor_links = 1
"""


def test_pair_and_heartbeat() -> None:
    found = model(PAIR)
    primary, backup = found.directors
    assert (primary.rank, primary.public, primary.private) == (
        Rank.PRIMARY,
        "192.0.2.1",
        "198.51.100.1",
    )
    assert (backup.rank, backup.public) == (Rank.BACKUP, "192.0.2.2")
    assert found.pulse is not None
    assert (found.pulse.keepalive_ms, found.pulse.deadtime_ms) == (6000, 18_000)
    assert found.pulse.method == DIRECT
    assert found.pulse.monitor_links
    assert found.pulse.origins["deadtime_ms"][0].line == 7


def test_defaults_of_pulse_without_a_word() -> None:
    found = model("service = lvs\n")
    assert found.pulse is not None
    assert (found.pulse.keepalive_ms, found.pulse.deadtime_ms) == (2000, 5000)
    assert found.pulse.method == MASQUERADE
    service = virtual("")
    assert (service.port, service.scheduler, service.protocol) == (80, "wlc", "tcp")
    assert not service.is_active
    assert service.nanny is not None
    assert (service.nanny.timeout_ms, service.nanny.reentry_ms) == (10_000, 180_000)


def test_server_takes_the_port_that_stands_above_it() -> None:
    found = virtual("server a {\n}\nport = 443\nserver b {\n}\nserver c {\nport = 8443\n}")
    assert [server.port for server in found.real_servers] == [80, 443, 8443]


MEANT = {
    "trailing comment": "port = 8080 # of the proxy",
    "trailing slashes": "port = 8080 // of the proxy",
    "no blanks": "port=8080",
    "blank before": "port =8080",
    "blank behind": "port= 8080",
    "no equals": "port 8080",
    "capitals": "Port = 8080",
    "quotes": 'port = "8080"',
    "step number": "7 port = 8080",
    "step number with a dot": "7. port = 8080",
    "callout": "port = 8080           12",
    "hexadecimal": "port = 0x1f90",
    "octal": "port = 017620",
    "twice": "port = 1\nport = 8080",
    "name": "port = webcache",
    "name in capitals": "port = HTTP-ALT",
}


@pytest.mark.parametrize("line", MEANT.values(), ids=MEANT)
def test_line_is_read_as_meant(line: str) -> None:
    found = virtual(line)
    assert found.port == 8080
    assert left(found) == []


VALUES = {
    "protocol = UDP": ("protocol", "udp"),
    "scheduler = WRR": ("scheduler", "wrr"),
    "scheduler = pcc": ("scheduler", "lc"),
    "fwmark = 0": ("mark", None),
    "fwmark = 0x15": ("mark", 21),
    "persistent = 0": ("persistence_s", None),
    "persistent = 300": ("persistence_s", 300),
    "active = yes": ("is_active", True),
    "quiesce_server = 1": ("inhibits_on_failure", True),
    "pmask = 24": ("persistence_mask", "255.255.255.0"),
}


@pytest.mark.parametrize(("line", "expected"), VALUES.items(), ids=VALUES)
def test_value_is_read_as_meant(line: str, expected: tuple[str, object]) -> None:
    name, value = expected
    found = virtual(line)
    assert getattr(found, name) == value
    assert found.origins[name][0].line == 2


ADDRESSES = {
    "address = 192.0.2.10 eth0:1": Vip("192.0.2.10", None, "eth0", "eth0:1"),
    "address = 192.0.2.10 eth0": Vip("192.0.2.10", None, "eth0"),
    "address = 192.0.2.10/24 eth0:1": Vip("192.0.2.10", 24, "eth0", "eth0:1"),
    "address = 192.0.2.10": Vip("192.0.2.10"),
    "address = 192.0.2.10      7": Vip("192.0.2.10"),
    "address = 192.0.2.10 eth0:1\nvip_nmask = 255.255.255.0": Vip(
        "192.0.2.10", 24, "eth0", "eth0:1"
    ),
    "address = 192.0.2.10 eth0:1\nvip_nmask = 0.0.0.0": Vip("192.0.2.10", None, "eth0", "eth0:1"),
    "address = 192.0.2.10 eth0:1\nvip_nmask = 32": Vip("192.0.2.10", 32, "eth0", "eth0:1"),
    "address = 192.0.522 eth0": Vip("192.0.2.10", None, "eth0"),
}


@pytest.mark.parametrize(("lines", "expected"), ADDRESSES.items(), ids=ADDRESSES)
def test_address_with_its_device_and_mask(lines: str, expected: Vip) -> None:
    assert virtual(lines).vip == expected


BLOCKS = {
    "as pulse wants it": "virtual web {\nserver one {\nweight = 7\n}\n}\n",
    "glued braces": "virtual web{\nserver one{\nweight = 7\n}\n}\n",
    "braces on the next line": "virtual web\n{\nserver one\n{\nweight = 7\n}\n}\n",
    "virtual server": "virtual server web {\nserver one {\nweight = 7\n}\n}\n",
    "one line": "virtual web { server one { weight = 7 } }\n",
    "comments behind braces": "virtual web { # a\nserver one { # b\nweight = 7 # c\n} # d\n} # e\n",
    "capitals": "Virtual web {\nSERVER one {\nWeight = 7\n}\n}\n",
    "CRLF": "virtual web {\r\nserver one {\r\nweight = 7\r\n}\r\n}\r\n",
    "byte-order mark": "\ufeffvirtual web {\nserver one {\nweight = 7\n}\n}\n",
    "left open": "virtual web {\nserver one {\nweight = 7\n",
    "quoted names": 'virtual "web" {\nserver "one" {\nweight = 7\n}\n}\n',
}


@pytest.mark.parametrize("text", BLOCKS.values(), ids=BLOCKS)
def test_block_is_read_as_meant(text: str) -> None:
    (found,) = model(text).services
    (server,) = found.real_servers
    assert (found.name, server.name, server.weight) == ("web", "one", 7)


def test_single_quotes_are_sent_as_lvsd_sends_them() -> None:
    found = virtual("send = 'GET / HTTP/1.0'\nexpect = \"HTTP\"")
    assert found.nanny is not None
    assert found.nanny.send == "'GET / HTTP/1.0'"
    assert found.nanny.expect == "HTTP"


def test_failover_block_with_its_commands() -> None:
    (found,) = model(
        'failover web {\nactive = 1\naddress = 192.0.2.10 eth0:1\nstart_cmd = "/bin/a start"\n'
        'stop_cmd = "/bin/a stop"\nport = 81\n}\n'
    ).local_services
    assert (found.start_command, found.stop_command, found.port) == (
        "/bin/a start",
        "/bin/a stop",
        81,
    )


def test_word_that_no_daemon_reads_is_left_over_without_a_finding() -> None:
    found = reading("serial_no = 7\nheartbeat = 1\n")
    assert left(found.configuration) == [
        ("serial_no = 7", "read by no daemon"),
        ("heartbeat = 1", "read by no daemon"),
    ]
    assert found.diagnostics == ()


UNREADABLE = {
    "port = nonsense": "nonsense is neither a port number nor a TCP service that we know",
    "port = 70000": "port 70000 is outside 1..65535",
    "weight = heavy": "unknown word weight",
    "bogus = 1": "unknown word bogus",
    "// port = 80": "a comment begins with #, not with //",
    "timeout = 1.5": "1.5 is not a number",
    "persistent = -1": "-1 s is negative",
    "active = 2": "2 is neither 0 nor 1",
    "vip_nmask = nonsense": "nonsense is not a netmask",
    "address = 192.0.2.1 eth0 up": "3 arguments, an address and a device expected",
}


@pytest.mark.parametrize(("line", "reason"), UNREADABLE.items(), ids=UNREADABLE)
def test_line_without_sense_is_left_over_and_an_error(line: str, reason: str) -> None:
    found = reading(f"virtual web {{\n{line}\nactive = 1\n}}\n")
    (service,) = found.configuration.services
    assert left(service) == [(line, reason)]
    assert service.is_active
    errors = [one for one in found.diagnostics if one.severity is Severity.ERROR]
    assert [(one.name, one.place.line) for one in errors] == [("unreadable-value", 2)]


def test_port_that_cannot_be_read_is_not_taken_for_80() -> None:
    assert virtual("port = nonsense").port is None


def test_every_line_that_pulse_rejects_is_told_with_its_place() -> None:
    text = PAIR.replace("keepalive = 6", "keepalive=6").replace("18", "18 # s")
    assert refused(text) == [(6, "unknown command"), (7, "unexpected arguments")]
    found = reading(text)
    assert found.verdict is not None
    assert (found.verdict.line, found.verdict.message) == (6, "unknown command")
    assert found.configuration.pulse is not None
    assert found.configuration.pulse.keepalive_ms == 6000


def test_file_that_pulse_accepts_has_no_finding() -> None:
    found = reading(PAIR)
    assert found.diagnostics == ()
    assert found.verdict is not None
    assert found.verdict.accepts


def test_carriage_returns_are_read_and_their_effect_is_told() -> None:
    found = reading(PAIR.replace("\n", "\r\n"))
    assert found.verdict is not None
    assert found.verdict.accepts
    assert len(found.configuration.directors) == 2
    assert [one.name for one in found.diagnostics] == ["carriage-return", "pulse-reads-otherwise"]


def test_empty_file_is_rejected_by_pulse() -> None:
    assert [message for _, message in refused("")] == [
        "pulse rejects an empty file: Empty configuration"
    ]


def test_template_is_not_judged_line_by_line() -> None:
    found = reading(
        "primary = {{ a }}\nkeepalive = 6\nvirtual web {\n{% for s in x %} server {{ s }} {\n"
        "weight = 2\n}\n{% endfor %}\n}\n"
    )
    assert [one.name for one in found.diagnostics] == ["template"]
    (service,) = found.configuration.services
    assert service.real_servers == (RealServer("", 80, "{{ s }}", 2, is_active=False),)
    assert found.configuration.pulse is not None
    assert found.configuration.pulse.keepalive_ms == 6000


def test_blocks_on_one_line_are_read_as_meant() -> None:
    text = (
        "virtual web { active = 1 address = 192.0.2.10 eth0:1 port = 8080 "
        "server a { address = 192.0.2.21 active = 1 weight = 2 } }\n"
    )
    (service,) = read(parse_bytes("lvs.cf", text.encode(), "lvs.cf")).configuration.services
    assert (service.name, service.address, service.port, service.is_active) == (
        "web",
        "192.0.2.10",
        8080,
        True,
    )
    (server,) = service.real_servers
    assert (server.name, server.address, server.weight) == ("a", "192.0.2.21", 2)
    assert service.leftovers == server.leftovers == ()


def test_file_of_carriage_returns_alone_is_read_line_by_line() -> None:
    read_as = reading(PAIR.replace("\n", "\r").encode())
    assert read_as.configuration == model(PAIR)
    assert read_as.verdict is not None
    assert read_as.verdict.accepts
    assert [found.name for found in read_as.diagnostics] == ["carriage-return"]
    assert refused("service = lvs\rbogus = 1\r") == [(2, "unknown command")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_file_of_two_byte_characters_is_read_as_meant(encoding: str) -> None:
    read_as = reading(PAIR.encode(encoding))
    assert read_as.configuration == model(PAIR)
    assert "utf16-text" in {found.name for found in read_as.diagnostics}
    assert read_as.verdict is not None
    # a NUL at the start of a line is the end of the file for pulse
    assert read_as.verdict.accepts is (encoding == "utf-16-be")
