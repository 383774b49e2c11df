"""A host that has things of its own, for tests that set it up as a real server."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from netns_case import Host, segment

from drctl.cli._realserver_source import read_wanted
from drctl.realserver.value import Wanted
from tools import need

OWN = "192.0.2.21"
FOREIGN = """\
table arp theirs {
    chain in {
        type filter hook input priority 5
        arp daddr ip 192.0.2.77 drop
    }
}
table ip theirs {
    chain pre {
        type nat hook prerouting priority -50
        ip daddr 192.0.2.78 redirect
    }
}
"""
_KEYS = ("arp_ignore", "arp_announce", "rp_filter")


def wanted_of(folder: Path, configuration: str, host: str) -> Wanted:
    """What a directors' configuration makes of a host."""
    path = folder / "keepalived.conf"
    path.write_text(configuration)
    words = {"path": str(path), "host": host, "method": None, "net": None, "dialect": "auto"}
    return read_wanted(argparse.Namespace(**words))[0]


class Server:
    """A host that has things of its own."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def state(self) -> dict[str, str]:
        """All that a method touches, and what it must not, as text."""
        rules = json.loads(self.host.run("nft", "-j", "list", "ruleset"))["nftables"]
        kept = [
            {key: value for key, value in body.items() if key != "handle"}
            for entry in rules
            for kind, body in entry.items()
            # what the tools make when they look, or leave empty
            if kind in {"rule", "table"} and body.get("name") not in {"filter", "nat"}
        ]
        settings = [
            f"net.ipv4.conf.{card}.{key}" for card in ("all", "lo", "eth0") for key in _KEYS
        ]
        return {
            "addresses": self.host.ip("-4", "-oneline", "address", "show"),
            "routes": self.host.ip("-4", "route", "show", "table", "all"),
            "rules": self.host.ip("rule", "show"),
            "settings": self.host.run("sysctl", *settings),
            "nft": json.dumps(kept, sort_keys=True),
            "iptables": _bare(self.host.run("iptables-save", "-t", "nat")),
            "arptables": _bare(self.host.run("arptables", "-L", "-n")),
        }


def _bare(text: str) -> str:
    """Without counters, comments, and what is empty."""
    lines = (line.partition(" [")[0] for line in text.splitlines())
    return "\n".join(one for one in lines if one.strip() and one[0] not in "#*" and one != "COMMIT")


@pytest.fixture
def server_on() -> Iterator[Server]:
    """It is on a segment of its own."""
    for tool, package in (
        ("nft", "nftables"),
        ("arptables", "arptables"),
        ("iptables", "iptables"),
    ):
        need(tool, package)
    with segment() as made:
        host = made.host("web1", f"{OWN}/24")
        host.run("nft", "-f", "-", stdin=FOREIGN)
        host.run("arptables", "-A", "INPUT", "-d", "192.0.2.79", "-j", "DROP")
        host.run("iptables", "-t", "nat", "-A", "PREROUTING", "-d", "192.0.2.80", "-j", "ACCEPT")
        host.ip("address", "add", "198.51.100.7/32", "dev", "lo")
        host.ip("route", "add", "203.0.113.0/24", "via", "192.0.2.254")
        host.ip("rule", "add", "pref", "99", "from", "198.51.100.7", "table", "99")
        host.run("sysctl", "-qw", "net.ipv4.conf.eth0.arp_announce=1")
        yield Server(host)
