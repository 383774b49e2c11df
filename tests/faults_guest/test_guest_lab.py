"""`drctl lab up` on a kernel with IPVS: keepalived balances beside the directors' daemons, and the
client is served, by whoever holds the VIP."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab_setup_case import BALANCED, LIMIT_S, Lab

from drctl.cli._lab_setup import design
from drctl.lab.pair.host import Host
from drctl.lab.setup import balancer, process
from drctl.lab.setup.design import Source, namespace_of
from tools import need

KERNELS = ("uml", "qemu")


def services(told: dict[str, Any]) -> dict[str, dict[str, int]]:
    """How many requests each real server answered, by VIP."""
    assert [one["failure"] for one in told["requests"]] == [""] * len(told["requests"]), told
    return {one["vip"]: one["served_by"] for one in told["requests"]}


VIPS = ("192.0.2.100", "2001:db8::100")
EVEN = [3, 3]


def test_lab_on_a_kernel_with_ipvs_serves_the_client(tmp_path: Path) -> None:
    need("keepalived", "keepalived")
    path = tmp_path / "keepalived.conf"
    path.write_text(BALANCED, encoding="utf-8")
    made = Lab()
    try:
        told = made.told("up", str(path))
        assert told["is_balancing"], told["notes"]
        first = services(told)
        assert {vip: sorted(by.values()) for vip, by in first.items()} == dict.fromkeys(VIPS, EVEN)
        # who is dead serves nobody: the other director has the VIPs then, and a table of its own
        part = Host("primary", namespace_of(made.name, "primary"))
        process.send(process.of_part(made.name, "director primary"), signal.SIGKILL)
        until(lambda: VIPS[0] not in part.ip("address"))
        until(lambda: served(made, path) == first)
        made.go()
    finally:
        made.run("down")


def served(made: Lab, path: Path) -> dict[str, dict[str, int]]:
    """As `services`, without having the lab made whole."""
    place = design(made.name, Source(str(path), "keepalived", "sysctl"))
    client = Host("client", namespace_of(made.name, "client"))
    return {one.flow.vip: dict(one.hosts) for one in balancer.ask(place, client)}


def until(is_it: Callable[[], bool]) -> None:
    limit_s = time.monotonic() + LIMIT_S
    while not is_it():
        assert time.monotonic() < limit_s
        time.sleep(0.1)
