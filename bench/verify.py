"""`drctl verify`, start and end included, of 100 VIPs and 100 real servers, each a network
namespace of its own that has every VIP on lo, against `arping` for one address after the other (and
`arp-scan` where it is installed), on the same machine in the same run. Goal: under a second.

`--through` tries a connection for every VIP at every real server, 10,000 of them. Needs root.
"""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from measure import best_costs, row, verdict

from drctl.lab.pair.host import Host, segment

COUNT = 100
ROUNDS = 3
GOAL_S = 1.0
VIPS = [f"192.0.2.{number}" for number in range(100, 100 + COUNT)]
SERVERS = [f"198.51.100.{number}" for number in range(100, 100 + COUNT)]
SILENT = ("net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2")


def configuration() -> str:
    """All VIPs in one group, served by all."""
    vips = "".join(f"        {vip}/32\n" for vip in VIPS)
    group = "".join(f"    {vip} 80\n" for vip in VIPS)
    real = "".join(f"    real_server {one} 80 {{\n    }}\n" for one in SERVERS)
    return (
        "vrrp_instance V {\n    interface eth0\n    virtual_router_id 51\n    priority 150\n"
        "    unicast_src_ip 198.51.100.1\n    unicast_peer {\n        198.51.100.2\n    }\n"
        f"    virtual_ipaddress {{\n{vips}    }}\n}}\n"
        f"virtual_server_group g {{\n{group}}}\n"
        f"virtual_server group g {{\n    lb_kind DR\n    protocol TCP\n{real}}}\n"
    )


@contextmanager
def setup() -> Iterator[Host]:
    """Everything at one switch; the host from which to ask."""
    with ExitStack() as stack:
        made = stack.enter_context(segment())
        made.host("lb1", "198.51.100.1/24", *(f"{vip}/32" for vip in VIPS))
        made.host("lb2", "198.51.100.2/24")
        for number, own in enumerate(SERVERS):
            web = made.host(f"web{number}", f"{own}/24")
            web.run("sysctl", "-qw", *SILENT)
            web.ip_batch(
                "route add 192.0.2.0/24 dev eth0", *(f"address add {v}/32 dev lo" for v in VIPS)
            )
            with web.inside():
                listener = socket.create_server(("0.0.0.0", 80), backlog=1024)
            stack.enter_context(listener)
        asking = made.host("mon", "198.51.100.9/24", "192.0.2.9/24")
        yield asking


def is_of_iputils(arping: str) -> bool:
    """There are two programs of that name; both end with the first answer, by different options."""
    said = subprocess.run([arping, "-V"], capture_output=True, text=True, check=False)
    return "iputils" in said.stdout


def main() -> int:
    """Print the times and ratios; 1 when the goal is missed."""
    if os.geteuid() != 0:
        print("left out: needs root")
        return 0
    with tempfile.TemporaryDirectory() as folder, setup() as asking:
        path = Path(folder, "keepalived.conf")
        path.write_text(configuration())
        verify = [sys.executable, "-m", "drctl", "verify", str(path), "-i", "eth0"]
        commands = {
            "drctl verify": asking.command(*verify),
            "drctl verify --through": asking.command(*verify, "--through"),
        }
        peers = {}
        addresses = Path(folder, "addresses")
        addresses.write_text("".join(f"{one}\n" for one in (*VIPS, *SERVERS)))
        if (arping := shutil.which("arping")) is not None:
            once = "-f" if is_of_iputils(arping) else "-C 1"
            one = f"{shlex.quote(arping)} -q -c 1 {once} -I eth0 $a"
            loop = f"while read a; do {one}; done < {addresses}"
            peers["arping, one by one"] = asking.command("sh", "-c", loop)
        if (scan := shutil.which("arp-scan")) is not None:
            peers["arp-scan"] = asking.command(scan, "-q", "-I", "eth0", "-f", str(addresses))
        costs = best_costs(commands | peers, ROUNDS)
    for peer in peers:
        for name in commands:
            print(row(f"{name}, {COUNT} VIPs x {COUNT}", costs[name], peer, costs[peer]))
    if not peers:
        print("no peer: neither arping nor arp-scan is installed")
    is_met = verdict("drctl verify", costs["drctl verify"], GOAL_S)
    through = costs["drctl verify --through"].wall_s
    print(f"drctl verify --through: {through:.2f} s for {COUNT * COUNT} connections")
    return int(not is_met)


if __name__ == "__main__":
    sys.exit(main())
