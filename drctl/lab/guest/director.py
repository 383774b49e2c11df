"""A director: the keepalived on it, the VIPs it holds, and what its IPVS counted."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from drctl.lab.guest.shell import GuestError, in_host, run
from drctl.lab.plan import Plan

_KEEPALIVED = ("keepalived", "-n", "-l", "-D", "-f", "/etc/keepalived/keepalived.conf")
_STOP_LIMIT_S = 10
_SERVER_CHANGE = re.compile(
    r"\b(?:(?:Adding|Removing|Enabling|Disabling) |Changing weight from ).*\bservice .* VS (.*)"
)
_VS_ADDRESS = re.compile(r"\[([0-9.]+)\]:(\w+):(\d+)")
ESTIMATION_S = 2.2
"""The kernel adds up what its processors counted every two seconds only (ip_vs_est.c)."""
_PROTOCOLS = ("TCP", "UDP", "SCTP", "FWM")


@dataclass(frozen=True, slots=True)
class Counted:
    """IPVS counters of one service."""

    connections: int
    in_packets: int
    out_packets: int


class Keepalived:
    """The keepalived of one director, in the foreground, its log in a file of the guest."""

    def __init__(self, name: str, root: Path) -> None:
        self.name = name
        self._log_path = root.parent / "keepalived.log"
        self._log = self._log_path.open("wb")
        self._process = subprocess.Popen(
            in_host(name, root, _KEEPALIVED), stdout=self._log, stderr=subprocess.STDOUT
        )

    def log(self) -> str:
        """What it has said so far."""
        return self._log_path.read_text(encoding="utf-8", errors="replace")

    def server_changes(self) -> Counter[str]:
        """How often a check has put a real server in or taken one out so far, by service."""
        return changes_in(self.log())

    def check(self) -> None:
        """Raise GuestError when it has ended by itself."""
        code = self._process.poll()
        if code is not None:
            said = self.log()[-2000:]
            raise GuestError(f"keepalived on {self.name} ended with status {code}: {said}")

    def end(self) -> None:
        """Ask it to end: it removes its VIPs and services. `wait` waits for that."""
        self._process.terminate()

    def wait(self) -> None:
        """Wait until it has ended."""
        try:
            self._process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


def changes_in(log: str) -> Counter[str]:
    """Changes of real servers by service; those of a service that the log names in another way
    than IPVS does (a group) are under the empty name."""
    return Counter(_service_name(name) for name in _SERVER_CHANGE.findall(log))


def _service_name(logged: str) -> str:
    """IPVS's name of a service from keepalived's (`[192.0.2.80]:tcp:80`, `FWM 5`)."""
    found = _VS_ADDRESS.match(logged)
    if found is not None:
        return f"{found[2].upper()} {found[1]}:{found[3]}"
    return logged if logged.startswith("FWM ") else ""


def holds_vips(name: str, plan: Plan) -> bool:
    """Whether the host has every VIP of the plan on a card that is up (`lo` does not count)."""
    held = {
        address["local"]
        for link in json.loads(run("ip", "-n", name, "-j", "-4", "addr", "show") or "[]")
        for address in link.get("addr_info", ())
        if link.get("ifname") != "lo" and "LOWER_UP" in link.get("flags", ())
    }
    return all(vip.address in held for vip in plan.vips)


def counted(name: str) -> dict[str, Counted]:
    """IPVS counters by service, named as in `Flow.service`."""
    found = {}
    text = run("ip", "netns", "exec", name, "ipvsadm", "-L", "-n", "--stats", "--exact")
    for line in text.splitlines():
        words = line.split()
        if words and words[0] in _PROTOCOLS and len(words) >= 5:
            found[f"{words[0]} {words[1]}"] = Counted(*(int(word) for word in words[2:5]))
    return found


def difference(
    before: dict[str, Counted], after: dict[str, Counted]
) -> dict[str, tuple[int, int, int]]:
    """Connections, packets in and packets out of each service between two looks."""
    nothing = Counted(0, 0, 0)
    found = {}
    for service, now in after.items():
        then = before.get(service, nothing)
        found[service] = (
            now.connections - then.connections,
            now.in_packets - then.in_packets,
            now.out_packets - then.out_packets,
        )
    return found


def table(name: str) -> str:
    """The IPVS table as ipvsadm prints it."""
    return run("ip", "netns", "exec", name, "ipvsadm", "-L", "-n")


def servers_in_table(name: str) -> dict[str, int]:
    """How many real servers with a weight above 0 each service has."""
    found: dict[str, int] = {}
    service = ""
    for line in table(name).splitlines():
        words = line.split()
        if words and words[0] in _PROTOCOLS:
            service = f"{words[0]} {words[1]}"
            found[service] = 0
        elif words[:1] == ["->"] and service and len(words) >= 4 and words[3].isdigit():
            found[service] += int(words[3]) > 0
    return found
