"""A pair moves from keepalived's VRRP, or from pulse, to drctl and back, as docs/from-keepalived.md
says, while a client asks every millisecond."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from live_case import FULL, now_ms
from netns_case import Host, segment

from drctl.daemon.control_client import NotAnswered, ask
from drctl.lab.pair.client import Client, Seen
from tools import need

VIP, SERVER = "192.0.2.100", "192.0.2.20"
NUMBERS = {"lb1": 1, "lb2": 2}
DRCTL = (sys.executable, "-m", "drctl")
LIMIT_S = 30
BUSY_MS = 15
"""So long an answer may take on a machine that has other work. A keepalived that removes a VIP and
adds it again at once takes longer."""
KEEPALIVED = """
vrrp_instance web {{
    state {state}
    interface eth0
    virtual_router_id 51
    priority {priority}
    advert_int 1
    authentication {{
        auth_type PASS
        auth_pass secret
    }}
    virtual_ipaddress {{
        192.0.2.100{prefix}
    }}
}}
virtual_server 192.0.2.100 80 {{
    lb_algo rr
    lb_kind DR
    protocol TCP
    real_server 192.0.2.20 80 {{
        TCP_CHECK {{
            connect_timeout 3
        }}
    }}
}}
"""
PIRANHA = """
primary = 192.0.2.1
service = lvs
backup_active = 1
backup = 192.0.2.2
heartbeat = 1
heartbeat_port = 539
keepalive = 2
deadtime = 6
network = direct
virtual web {
     active = 1
     address = 192.0.2.100 eth0:1
     vip_nmask = 255.255.255.0
     port = 80
     protocol = tcp
     scheduler = rr
     server web1 {
         address = 192.0.2.20
         active = 1
         weight = 1
     }
}
"""
SETTINGS = """
node = "{name}"
config = "{config}"
control = "{folder}/control.sock"
state_dir = "{folder}/state"
[keys]
secret = "{keys}/{name}.secret"
[[peer]]
node = "{peer}"
public = "{keys}/{peer}.public"
"""
LINK = """
[[peer.link]]
local = "192.0.2.{own}"
peer = "192.0.2.{other}"
"""


@dataclass
class Machine:
    """A director's machine, on which one program after another runs. `config` is the file that
    keepalived or pulse had, and drctl is given."""

    name: str
    host: Host
    folder: Path
    config: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *command: str) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(
                self.host.command(*command), stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def start_keepalived(self, *options: str) -> None:
        for name in ("pid", "vrrp", "check"):
            # of one that was killed: its number may be that of a process which nobody has reaped
            (self.folder / name).unlink(missing_ok=True)
        files = ["-p", f"{self.folder}/pid", "-r", f"{self.folder}/vrrp", "-c"]
        command = [need("keepalived", "keepalived"), "-n", "-l", "-D", *files]
        self.start("keepalived", *command, f"{self.folder}/check", "-f", str(self.config), *options)

    def start_drctl(self) -> None:
        self.start("drctl", *DRCTL, "run", "-c", self.settings)

    @property
    def settings(self) -> str:
        return str(self.folder / "drctl.toml")

    def kill_all(self, name: str, number: signal.Signals) -> None:
        """As `systemctl kill` does it: everything of the unit at once."""
        process = self.running.pop(name)
        numbers = [process.pid]
        for pid in numbers:
            with suppress(FileNotFoundError):
                children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
                numbers += [int(word) for word in children.split()]
        for pid in numbers:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        process.wait(LIMIT_S)

    def stop(self, name: str) -> None:
        """As `systemctl stop` does it."""
        process = self.running.pop(name)
        process.terminate()
        process.wait(LIMIT_S)

    def log(self, name: str) -> str:
        file = self.folder / f"{name}.log"
        return file.read_text("utf-8", "replace") if file.exists() else ""

    def role(self) -> str:
        try:
            answer = ask(self.folder / "control.sock", {"command": "status"}, 5)
        except NotAnswered:
            return ""
        return str(answer["status"]["groups"][0]["role"])

    def run(self, *command: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(self.host.command(*command), capture_output=True, check=True)

    def end(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait(LIMIT_S)
        until(lambda: not self.host.pids(), lambda: "processes are left")


@dataclass
class Stage:
    lb1: Machine
    lb2: Machine
    client: Client

    def until(self, is_it: Callable[[], object]) -> None:
        until(is_it, self.logs)

    def logs(self) -> str:
        return "\n".join(
            f"--- {machine.name} {name}\n{machine.log(name)[-3000:]}"
            for machine in (self.lb1, self.lb2)
            for name in ("keepalived", "drctl")
        )

    def seen(self, since_ms: float) -> Seen:
        """What the client saw, some time after it is over."""
        rest_s = time.monotonic() + 0.5
        until(lambda: time.monotonic() > rest_s, self.logs)
        return self.client.seen(since_ms)


def until(is_it: Callable[[], object], logs: Callable[[], str]) -> None:
    limit_s = time.monotonic() + LIMIT_S
    while not is_it():
        assert time.monotonic() < limit_s, logs()
        time.sleep(0.02)


@contextmanager
def stage(folder: Path, config: Callable[[str], str], *, has_links: bool) -> Iterator[Stage]:
    subprocess.run([*DRCTL, "keygen", "lb1", "lb2", "-o", str(folder / "keys")], check=True)
    with segment() as made:
        made.host("rs", f"{SERVER}/24")
        client_host = made.host("client", "192.0.2.9/24")
        machines = {}
        for name, own in NUMBERS.items():
            peer = next(each for each in NUMBERS if each != name)
            place = folder / name
            place.mkdir()
            file = place / "config"
            file.write_text(config(name), encoding="utf-8")
            text = SETTINGS.format(
                name=name, peer=peer, config=file, folder=place, keys=folder / "keys"
            )
            if has_links:
                text += LINK.format(own=own, other=NUMBERS[peer])
            (place / "drctl.toml").write_text(text, encoding="utf-8")
            host = made.host(name, f"192.0.2.{own}/24")
            machines[name] = Machine(name, host, place, file)
        macs = {machine.host.mac(): name for name, machine in machines.items()}
        client = Client(client_host, VIP, macs)
        try:
            yield Stage(machines["lb1"], machines["lb2"], client)
        finally:
            client.close()
            for machine in machines.values():
                machine.end()


def assert_uninterrupted(seen: Seen, live: Stage) -> None:
    """Nobody but lb1 answered, and it always did."""
    assert (seen.twice, seen.holders) == (0, ("lb1",)), live.logs()
    assert seen.outage_ms < BUSY_MS, live.logs()


def of_keepalived(prefix: str) -> Callable[[str], str]:
    def config(name: str) -> str:
        priority = 200 - NUMBERS[name] * 50
        state = "MASTER" if name == "lb1" else "BACKUP"
        return KEEPALIVED.format(state=state, priority=priority, prefix=prefix)

    return config


@pytest.mark.parametrize("prefix", ["/24", pytest.param("", marks=FULL)], ids=["net", "host"])
def test_keepalived_pair_moves_to_drctl_and_back_without_an_outage(
    tmp_path: Path, prefix: str
) -> None:
    with stage(tmp_path, of_keepalived(prefix), has_links=True) as live:
        lb1, lb2 = live.lb1, live.lb2
        lb1.start_keepalived("--vrrp")
        live.until(lambda: "Entering MASTER STATE" in lb1.log("keepalived"))
        lb2.start_keepalived("--vrrp")
        live.until(lambda: "Entering BACKUP STATE" in lb2.log("keepalived"))
        live.until(lambda: live.client.last_holder() == "lb1")
        at_ms = now_ms()

        # the standby director first
        lb2.stop("keepalived")
        lb2.start_drctl()
        live.until(lambda: lb2.role() == "suspect")
        # the active one: keepalived ends without its last deeds, drctl adopts what is there
        lb1.kill_all("keepalived", signal.SIGKILL)
        lb1.start_drctl()
        live.until(lambda: lb1.role() == "active" and lb2.role() == "standby")
        there = live.seen(at_ms)
        print("there:", there)
        assert_uninterrupted(there, live)

        at_ms = now_ms()
        lb2.stop("drctl")
        subprocess.run([*DRCTL, "run", "--leave", "-c", lb1.settings], check=True)
        assert lb1.running["drctl"].wait(LIMIT_S) == 3
        # keepalived removes what it finds on the interface, and comes to be master later
        lb1.run("ip", "address", "add", f"{VIP}/32", "dev", "lo")
        lb1.start_keepalived("--vrrp")
        live.until(lambda: "Entering MASTER STATE" in lb1.log("keepalived"))
        live.until(lambda: "setting VIPs" in lb1.log("keepalived"))
        lb1.run("ip", "address", "delete", f"{VIP}/32", "dev", "lo")
        lb2.start_keepalived("--vrrp")
        live.until(lambda: "Entering BACKUP STATE" in lb2.log("keepalived"))
        back = live.seen(at_ms)
        print("back:", back)
        assert_uninterrupted(back, live)
        # nothing of drctl's silences the keepalived that takes over later
        for machine in (lb1, lb2):
            assert machine.run("nft", "list", "tables").stdout == b""
        lb1.stop("keepalived")
        live.until(lambda: live.client.last_holder() == "lb2")


def test_piranha_pair_moves_to_drctl_with_its_own_file(tmp_path: Path) -> None:
    with stage(tmp_path, lambda _: PIRANHA, has_links=False) as live:
        lb1, lb2 = live.lb1, live.lb2
        # as a pulse that was killed leaves it, which took `ifconfig eth0:1 ADDRESS netmask MASK up`
        alias = ("dev", "eth0", "label", "eth0:1")
        lb1.run("ip", "address", "add", f"{VIP}/24", "broadcast", "192.0.2.255", *alias)
        live.until(lambda: live.client.last_holder() == "lb1")
        lb2.start_drctl()
        at_ms = now_ms()
        live.until(lambda: lb2.role() == "suspect")
        lb1.start_drctl()
        live.until(lambda: lb1.role() == "active" and lb2.role() == "standby")
        assert_uninterrupted(live.seen(at_ms), live)
        # the other one can have it, and give it back
        subprocess.run([*DRCTL, "switch", "-c", lb1.settings], check=True)
        live.until(lambda: live.client.last_holder() == "lb2")
        subprocess.run([*DRCTL, "switch", "-c", lb1.settings], check=True)
        live.until(lambda: live.client.last_holder() == "lb1")
        # and pulse finds what it had
        live.until(lambda: lb1.role() == "active" and lb2.role() == "standby")
        lb2.stop("drctl")
        at_ms = now_ms()
        subprocess.run([*DRCTL, "run", "--leave", "-c", lb1.settings], check=True)
        assert lb1.running["drctl"].wait(LIMIT_S) == 3
        shown = lb1.run("ip", "-o", "-4", "address", "show", "label", "eth0:1").stdout.decode()
        assert f"{VIP}/24" in shown
        assert "valid_lft forever" in shown
        assert_uninterrupted(live.seen(at_ms), live)
