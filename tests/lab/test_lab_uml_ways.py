"""The lab in User-mode Linux for the other ways: a keepalived.conf with tunnelling, and an lvs.cf
with masquerading."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lab_case import PAIR, VIRTUAL
from lab_run import failures, need_uml, run_lab

pytestmark = pytest.mark.lab

KEEPALIVED_CONF = """\
global_defs {
    router_id lb1
}
vrrp_instance VI_1 {
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 150
    advert_int 1
    authentication {
        auth_type PASS
        auth_pass s3cret
    }
    virtual_ipaddress {
        192.0.2.80/24
    }
}
virtual_server 192.0.2.80 80 {
    delay_loop 2
    lb_algo rr
    lb_kind TUN
    protocol TCP
    real_server 192.0.2.11 80 {
        HTTP_GET {
            url {
                path /
                status_code 200
            }
            connect_timeout 2
        }
    }
    real_server 192.0.2.12 80 {
        TCP_CHECK {
            connect_timeout 2
        }
    }
}
"""
GATEWAY = """\
network = nat
nat_router = 198.51.100.254 eth1:1
nat_nmask = 255.255.255.0"""
MASQUERADED = (
    (PAIR + VIRTUAL)
    .replace("network = direct", GATEWAY)
    .replace("192.0.2.11", "198.51.100.11")
    .replace("192.0.2.12", "198.51.100.12")
)
SERVICE = "TCP 192.0.2.80:80"


def ran(source: Path, text: str, forwarding: str) -> dict[str, Any]:
    """The one trial of a configuration, in which everything held."""
    need_uml()
    source.write_text(text)
    kept = source.with_name("kept")
    code, result = run_lab(str(source), "--method", "sysctl", "--keep", str(kept))
    assert json.loads((kept / "plan.json").read_text())["forwarding"] == forwarding
    (trial,) = result["trials"]
    assert (failures(trial), code) == ([], 0)
    found: dict[str, Any] = trial
    return found


def names(trial: dict[str, Any]) -> set[str]:
    """What was asserted before and after the death of a link."""
    both = [
        {one["name"] for one in trial["assertions"] if one["phase"] == phase}
        for phase in ("before", "after")
    ]
    assert both[0] == both[1]
    return both[0]


def test_lab_of_a_keepalived_conf_with_tunnelling_holds_every_assertion(tmp_path: Path) -> None:
    trial = ran(tmp_path / "keepalived.conf", KEEPALIVED_CONF, "tunnelling")
    assert "replies.direct" in names(trial)
    before, after = trial["measurements"]
    assert {before["active"], after["active"]} == {"primary", "backup"}
    for measured in (before, after):
        assert measured["flows"][0]["served"] == {"192.0.2.11": 4, "192.0.2.12": 4}
        assert measured["flows"][0]["replies_from"] == ["192.0.2.11", "192.0.2.12"]
        assert measured["counters"][SERVICE]["out_packets"] == 0


def test_lab_with_masquerading_holds_every_assertion(tmp_path: Path) -> None:
    trial = ran(tmp_path / "lvs.cf", MASQUERADED, "masquerading")
    assert "replies.masqueraded" in names(trial)
    for measured in trial["measurements"]:
        assert measured["flows"][0]["served"] == {"web1": 4, "web2": 4}
        assert measured["flows"][0]["replies_from"] == [measured["active"]]
        assert measured["counters"][SERVICE]["out_packets"] > 0
    assert trial["failover"]["survivor"] == trial["measurements"][1]["active"]
