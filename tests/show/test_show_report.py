"""The three formats of `drctl show`: places, units, passwords, the documented schema."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from drctl.readers import keepalived, lvs_cf
from drctl.readers.reading import Reading
from drctl.report.show import SCHEMA, to_json, to_tree
from drctl.report.show_table import to_table
from drctl.report.text import to_lines, to_summary
from drctl.syntax.parser import parse_bytes

PIRANHA = """\
serial_no = 7
primary = 192.0.2.1
keepalive = 6
network = direct
virtual web {
     active = 1
     address = 192.0.2.10 eth0:1
     port = 80 # web
     server one {
         address = 192.0.2.21
         active = 1
         weight = 2
     }
}
"""
KEEPALIVED = """\
global_defs {
    lvs_sync_daemon eth1 VI_1 maxlen 1400
}
vrrp_instance VI_1 {
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 150
    advert_int 0.5
    authentication {
        auth_type PASS
        auth_pass S3cret
    }
    virtual_ipaddress {
        192.0.2.10/24 dev eth0 label eth0:1
    }
    use_vrrp
}
vrrp_instance VI_2 {
    authentication { auth_type PASS auth_pass S3cret }
    @backup auth_pass "S3cret"
}
virtual_server 2001:db8::10 443 {
    delay_loop 6
    lb_kind DR
    lb_algo wlc
    real_server 2001:db8::21 443 {
        weight 3
        TCP_CHECK {
            connect_timeout 3
        }
    }
}
"""


def read(text: str) -> Reading:
    document = parse_bytes("dir/x.conf", text.encode())
    reader = lvs_cf.read if document.dialect == "lvs.cf" else keepalived.read
    return reader(document)


def shown(text: str) -> dict[str, Any]:
    found = json.loads(to_json(read(text)))
    assert isinstance(found, dict)
    return found


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_json_of_lvs_cf_has_the_documented_keys() -> None:
    found = shown(PIRANHA)
    assert list(found) == [
        *("schema", "path", "dialect", "encoding", "is_template", "pulse", "config_id", "files"),
        *("model", "leftovers", "includes", "definitions", "conditions", "sequences"),
        "diagnostics",
    ]
    assert found["schema"] == SCHEMA == 2
    assert (found["path"], found["dialect"]) == ("dir/x.conf", "lvs.cf")
    assert found["pulse"] == {"accepts": False, "line": 8, "message": "unexpected arguments"}
    (service,) = found["model"]["services"]
    assert service["origins"]["port"] == [{"path": "dir/x.conf", "line": 8, "column": 6}]
    assert service["origins"]["self"][0]["line"] == 5
    assert service["nanny"]["type"] == "nanny"
    assert found["leftovers"] == [
        {
            "text": "serial_no = 7",
            "reason": "read by no daemon",
            "path": "dir/x.conf",
            "line": 1,
            "column": 1,
            "end_line": 1,
        }
    ]
    (finding,) = found["diagnostics"]
    assert (finding["code"], finding["line"], finding["column"]) == ("DR040", 8, 6)
    assert finding["message"] == "pulse rejects this line: unexpected arguments"


def test_json_of_keepalived_conf_has_no_verdict_of_pulse() -> None:
    found = shown(KEEPALIVED)
    assert found["pulse"] is None
    assert found["model"]["services"][0]["real_servers"][0]["checks"][0]["type"] == "tcp"


def test_tree_shows_units_and_the_line_of_every_value() -> None:
    text = to_tree(read(KEEPALIVED))
    assert ["advert", "0.5", "s", "line", "9"] in rows(text)
    assert ["max", "length", "1400", "bytes", "line", "2"] in rows(text)
    assert ["method", "direct", "routing", "line", "25"] in rows(text)
    assert ["name", "VI_1", "line", "4"] in rows(text)
    assert ["rank", "backup", "derived"] not in rows(text)
    assert ["use_vrrp", "line", "17", "not", "modelled"] in rows(text)
    for line in text.split("not in the model:")[0].splitlines()[2:]:
        if line.strip() not in {"", "connect", "authentication"}:
            assert re.search(r"(line \d+|default|derived)$", line), line


def test_tree_of_lvs_cf_begins_with_the_verdict() -> None:
    text = to_tree(read(PIRANHA))
    assert text.splitlines()[1] == ("pulse 0.8.6 rejects this file at line 8: unexpected arguments")
    assert "pulse 0.8.6 accepts this file" in to_tree(read(PIRANHA.replace(" # web", "")))
    assert ["keepalive", "6", "s", "line", "3"] in rows(text)
    assert ["scheduler", "wlc", "default"] in rows(text)


def test_table_has_a_line_in_every_row() -> None:
    for text in (PIRANHA, KEEPALIVED):
        for line in to_table(read(text)).splitlines():
            if line and not line.isupper() and "WHERE" not in line and "not in the" not in line:
                assert "line " in line, line
    table = to_table(read(KEEPALIVED))
    assert "[2001:db8::21]:443" in table
    assert ["VI_1", "MASTER", "eth0", "51", "150", "line", "4"] in rows(table)


def test_table_of_nothing_says_so() -> None:
    assert to_table(read("")) == "nothing in the model\n"


@pytest.mark.parametrize("show", [to_json, to_tree, to_table])
def test_password_is_shown_nowhere(show: Any) -> None:
    reading = read(KEEPALIVED + "@x authentication {\n auth_pass S3cret\n}\nauth_pass S3cret\n")
    assert "S3cret" not in show(reading)
    assert "********" in show(reading)


def test_password_is_not_in_findings_or_their_excerpts() -> None:
    reading = read(KEEPALIVED)
    source = reading.document.source
    assert any(found.place.line == 20 for found in reading.diagnostics)
    for text in (to_lines(reading.diagnostics, source), to_summary(reading.diagnostics, source)):
        assert "auth_pass ********" in text
        assert "S3cret" not in text


def test_summary_lists_the_lines_of_many_equal_findings() -> None:
    reading = read(PIRANHA + "primary = 192.0.2.1 # again\n" * 20)
    text = to_summary(reading.diagnostics, reading.document.source)
    assert text.count("[DR040") == 6
    assert "the same 16 more times" in text


def test_excerpt_of_a_long_line_shows_the_part_in_question() -> None:
    reading = read("vrrp_instance A {\n" + " " * 300 + "priority 300\n}\n")
    (found,) = (one for one in reading.diagnostics if one.name == "unreadable-value")
    _, excerpt, caret = to_lines([found], reading.document.source).splitlines()
    assert excerpt.strip() == "priority 300"
    assert excerpt.index("p") == caret.index("^")


def test_control_characters_do_not_reach_the_terminal() -> None:
    reading = read("vrrp_instance A {\n interface \x1b[31mred\n priority \x1b[0m\n}\n")
    assert "\x1b" not in to_tree(reading)
    assert "\x1b" not in to_table(reading)
    assert "\x1b" not in to_summary(reading.diagnostics, reading.document.source)


NETWORK = """\
vrrp_script alive {
    script "/bin/check --password S3cret"
    weight -5 reverse
}
vrrp_track_process web {
    process nginx -g
    fork_delay 0.000001
}
bfd_instance uplink {
    neighbor_ip 192.0.2.1
    min_rx 20.5
    weight 7
}
vrrp_instance A {
    virtual_routes {
        blackhole 198.51.100.0/24 mtu lock 1400 onlink
        default nexthop via 192.0.2.2 weight 2 nexthop dev eth1
    }
    virtual_rules {
        not from 192.0.2.0/24 goto 20 priority 10
    }
    auth_hmac {
        key 1 S3cret
    }
    use_vmac
}
static_ipaddress {
    192.0.2.5
}
"""


def test_table_has_what_is_tracked_and_how_packets_go() -> None:
    shown = rows(to_table(read(NETWORK)))
    assert ["script", "alive", "/bin/check", "--password", "********", "-5", "reverse"] in [
        row[:7] for row in shown
    ]
    assert ["process", "web", "nginx", "-g", "-", "line", "5"] in shown
    assert ["bfd", "uplink", "192.0.2.1", "7", "line", "9"] in shown
    assert ["blackhole", "198.51.100.0/24", "A", "-", "-", "-", "line", "16"] in shown
    assert ["default", "A", "192.0.2.2", "eth1", "-", "-", "line", "17"] in shown
    assert ["10", "A", "not", "192.0.2.0/24", "-", "goto", "20", "line", "20"] in shown


def test_tree_shows_options_ways_and_times_below_a_millisecond() -> None:
    shown = rows(to_tree(read(NETWORK)))
    assert ["options", "mtu", "lock", "1400", "onlink", "line", "16"] in shown
    assert ["fork", "delay", "0.000001", "s", "line", "7"] in shown
    assert ["min", "receive", "0.0205", "s", "line", "11"] in shown
    # what a line says in parts has its place
    assert ["weight", "2", "line", "17"] in shown
    assert ["vmac", "line", "25"] in shown
    assert ["static", "address", "line", "28"] in shown
    assert ["track", "process", "line", "5"] in shown
    assert ["password", "********", "line", "23"] in shown


def test_json_has_options_as_pairs_and_no_key() -> None:
    (instance,) = shown(NETWORK)["model"]["instances"]
    first, second = instance["routes"]
    assert first["options"] == [["mtu", "lock 1400"], ["onlink", ""]]
    assert second["hops"][1] == {"via": None, "device": "eth1", "weight": None, "options": []}
    assert instance["hmac"]["keys"] == [{"number": 1, "password": "********"}]
    assert "S3cret" not in to_json(read(NETWORK))
