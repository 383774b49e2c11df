"""The folder of a conversion says the same of a real server as the configuration it is made of."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from verify_case import CONFIGURATION, vrrp_instance

from drctl.cli._realserver_source import read_wanted
from drctl.errors import UsageError
from drctl.realserver.value import Wanted
from drctl.render.options import ARP_METHODS, NETS
from drctl.render.real_server_plan import Plan
from drctl.render.rendered import Rendering

EXAMPLE = Path(__file__).parents[2] / "examples" / "piranha" / "lvs.cf"
MIXED = (
    vrrp_instance("192.0.2.10/24", "198.51.100.1/24", "2001:db8::10/64")
    + """\
virtual_server 192.0.2.10 80 {
    lb_kind DR
    protocol TCP
    real_server 192.0.2.21 80 {
    }
}
virtual_server 2001:db8::10 53 {
    lb_kind DR
    protocol UDP
    real_server 2001:db8::21 53 {
    }
}
virtual_server 192.0.2.10 443 {
    lb_kind TUN
    protocol TCP
    real_server 198.51.100.22 443 {
    }
}
virtual_server 192.0.2.10 25 {
    lb_kind NAT
    protocol TCP
    real_server 198.51.100.22 2525 {
    }
    real_server 198.51.100.23 2525 {
    }
    real_server 192.0.2.2 25 {
    }
}
virtual_server 192.0.2.10 8080 {
    lb_kind DR
    protocol TCP
    real_server 192.0.2.2 8080 {
    }
}
"""
)


def read(path: Path, host: str, method: str | None, net: str | None) -> tuple[Wanted, Rendering]:
    words = {"path": str(path), "host": host, "method": method, "net": net, "dialect": "auto"}
    return read_wanted(argparse.Namespace(**words))


def without_places(plan: Plan) -> Plan:
    ways = tuple(
        replace(one, places=(), table=one.table if plan.is_mixed else 0) for one in plan.ways_back
    )
    return replace(
        plan,
        silent=tuple(replace(one, places=()) for one in plan.silent),
        addresses=tuple(replace(one, places=()) for one in plan.addresses),
        redirects=tuple(replace(one, places=()) for one in plan.redirects),
        ways_back=ways,
        losses=(),
        method=plan.method if plan.has_rules else "",
    )


def convert(source: Path, out: Path, *words: str) -> None:
    command = [sys.executable, "-m", "drctl", "convert", str(source), "-o", str(out), *words]
    subprocess.run(command, check=True, capture_output=True)


@pytest.mark.parametrize("number", range(len(ARP_METHODS)))
def test_folder_says_what_the_configuration_says(tmp_path: Path, number: int) -> None:
    method, net = ARP_METHODS[number], NETS[number % len(NETS)]
    (tmp_path / "keepalived.conf").write_text(MIXED)
    (tmp_path / "plain.conf").write_text(CONFIGURATION)
    hosts = {
        "keepalived.conf": ("192.0.2.21", "2001:db8::21", "198.51.100.22", "198.51.100.23"),
        "plain.conf": ("192.0.2.21",),
    }
    for name, servers in hosts.items():
        out = tmp_path / f"out-{name}"
        convert(tmp_path / name, out, "--arp", method, "--net", net)
        for host in (*servers, *(["backup"] if name == "keepalived.conf" else [])):
            asked, rendered = read(tmp_path / name, host, method, net)
            found, made = read(out, host, None, None)
            assert without_places(found.plan) == without_places(asked.plan), host
            assert found.files == asked.files, host
            assert (made.installers, made.steps) == (rendered.installers, rendered.steps), host
            assert set(found.services) == set(asked.services), host
            assert set(found.own) == set(asked.own), host
            assert found.directors == asked.directors, host


def test_folder_host_is_found_by_name_and_by_address(tmp_path: Path) -> None:
    convert(EXAMPLE, tmp_path / "out")
    by_name, _ = read(tmp_path / "out", "web1", None, None)
    by_address, _ = read(tmp_path / "out", "192.0.2.21", None, None)
    assert by_name == by_address
    for host, why in (("web9", "is no host"), ("primary", "serves nothing")):
        with pytest.raises(UsageError, match=rf"{host} {why}.*web1, web2"):
            read(tmp_path / "out", host, None, None)


def test_folder_file_that_was_edited_is_what_is_wanted(tmp_path: Path) -> None:
    convert(EXAMPLE, tmp_path / "out")
    file = tmp_path / "out/web1/usr/libexec/drctl/drctl-vip"
    file.write_text(file.read_text() + "# ours\n")
    wanted, made = read(tmp_path / "out", "web1", None, None)
    assert any(one.text.endswith("# ours\n") for one in wanted.files)
    assert any(one.text.endswith("# ours\n") for one in made.files)


def test_folder_of_another_method_or_of_nobody_is_refused(tmp_path: Path) -> None:
    convert(EXAMPLE, tmp_path / "out")
    with pytest.raises(UsageError, match="made for sysctl"):
        read(tmp_path / "out", "web1", "nftables", None)
    with pytest.raises(UsageError, match="no output of drctl convert"):
        read(tmp_path, "web1", None, None)


def test_folder_report_names_the_addresses_of_hosts(tmp_path: Path) -> None:
    convert(EXAMPLE, tmp_path / "out")
    hosts = json.loads((tmp_path / "out/report.json").read_text())["hosts"]
    addresses = {one["host"]: one["addresses"] for one in hosts}
    assert addresses["web1"] == ["192.0.2.21"]
    assert "192.0.2.2" in addresses["primary"]
