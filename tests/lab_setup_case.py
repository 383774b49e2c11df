"""Labs as a user has them, through the program; and everything that may be left of one."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from netns_case import Host, segment

from drctl.adapters.fence import unusable_reason
from drctl.adapters.run_lock import namespace_id
from drctl.lab.setup import process, state
from tools import need, need_root, refuse

LIMIT_S = 120
FULL = pytest.mark.skipif("DRCTL_FULL" not in os.environ, reason="DRCTL_FULL=1 plays all of them")
NETNS = Path("/run/netns")
_numbers = itertools.count()

DUAL = """\
vrrp_instance V4 {
    state MASTER
    interface ens18
    virtual_router_id 51
    priority 150
    unicast_src_ip 192.0.2.1
    unicast_peer {
        192.0.2.2
    }
    notify "/bin/touch @NOTIFIED@"
    virtual_ipaddress {
        192.0.2.100/24
    }
}
vrrp_instance V6 {
    state MASTER
    interface ens18
    virtual_router_id 52
    priority 150
    virtual_ipaddress {
        2001:db8::100/64
    }
}
vrrp_instance INNER {
    state MASTER
    interface ens19
    virtual_router_id 53
    priority 150
    virtual_ipaddress {
        198.51.100.1/24
    }
}
vrrp_sync_group ALL {
    group {
        V4
        V6
        INNER
    }
}
virtual_server 192.0.2.100 80 {
    lb_kind DR
    real_server 192.0.2.21 80 {
    }
    real_server 203.0.113.22 80 {
    }
}
virtual_server 2001:db8::100 80 {
    lb_kind DR
    real_server 2001:db8::21 80 {
    }
}
virtual_server 192.0.2.100 53 {
    lb_kind NAT
    protocol UDP
    real_server 198.51.100.31 53 {
    }
}
"""
"""Both families, a network behind the directors, a real server in another network, and a program
that the lab must not run."""


def _balanced(vip: str, first: str, second: str) -> str:
    real = "".join(
        f"    real_server {server} 80 {{\n        MISC_CHECK {{\n"
        "            misc_path /not/there\n        }\n    }\n"
        for server in (first, second)
    )
    head = "    delay_loop 1\n    lb_algo rr\n    lb_kind DR\n    protocol TCP\n"
    return f"virtual_server {vip} 80 {{\n{head}{real}}}\n"


BALANCED = f"""\
vrrp_instance VI_1 {{
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 150
    unicast_src_ip 192.0.2.1
    unicast_peer {{
        192.0.2.2
    }}
    virtual_ipaddress {{
        192.0.2.100/24
    }}
    virtual_ipaddress_excluded {{
        2001:db8::100/64
    }}
}}
{_balanced("192.0.2.100", "192.0.2.21", "192.0.2.22")}\
{_balanced("2001:db8::100", "2001:db8::21", "2001:db8::22")}"""
"""Two services with two real servers each, whose check is a program that is not there."""


@cache
def able() -> None:
    """Skip, or fail where everything must be there."""
    need_root()
    need("ip", "iproute2")
    need("bridge", "iproute2")
    need("nft", "nftables")
    with segment() as made, made.host("lb1").inside():
        if reason := unusable_reason():
            refuse(reason)


@dataclass
class Lab:
    """A lab of this process's own."""

    name: str = field(default_factory=lambda: f"t{os.getpid()}-{next(_numbers)}")
    variables: dict[str, str] = field(default_factory=dict)

    def command(self, action: str, *words: str) -> list[str]:
        """The command line of an action."""
        return [sys.executable, "-m", "drctl", "lab", action, "--name", self.name, *words]

    def run(self, action: str, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Do it, with this input, and wait."""
        return subprocess.run(
            self.command(action, *words),
            input=given,
            env={**os.environ, **self.variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )

    def told(self, action: str, *words: str, code: int = 0) -> dict[str, Any]:
        """What an action says as JSON; `code` is its exit code."""
        done = self.run(action, "--json", *words)
        assert done.returncode == code, done.stdout + done.stderr
        return dict(json.loads(done.stdout))

    def shell(self, host: str, *words: str) -> str:
        """What a command on a host says."""
        done = self.run("shell", host, *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def namespaces(self) -> list[int]:
        """Their numbers: journals of real servers have them in their names."""
        found = []
        for path in NETNS.glob(f"drctl-lab-{self.name}.*"):
            if os.path.ismount(path):
                with Host("", path.name).inside():
                    found.append(namespace_id())
        return found

    def left(self, namespaces: list[int]) -> list[str]:
        """Whatever there is of it."""
        found = [path.name for path in NETNS.glob(f"drctl-lab-{self.name}.*")]
        found += [f"{pid} {part}" for pid, part in process.processes(self.name).items()]
        found += [str(path) for path in state.BASE.glob(f"{self.name}*")]
        folder = state.BASE.parent
        found += [str(p) for one in namespaces for p in folder.glob(f"realserver-{one}.*")]
        return found

    def go(self) -> None:
        """Take it down; nothing of it is left."""
        namespaces = self.namespaces()
        done = self.run("down")
        assert done.returncode == 0, done.stderr
        assert self.left(namespaces) == []


@contextmanager
def lab() -> Iterator[Lab]:
    """One that is taken down at the end, whatever state it is in."""
    able()
    made = Lab()
    try:
        yield made
    finally:
        made.run("down")


def verdicts(told: dict[str, Any]) -> dict[str, str]:
    """The verdict of each VIP in what verify says."""
    return {one["vip"]: one["verdict"] for one in told["vips"]}
