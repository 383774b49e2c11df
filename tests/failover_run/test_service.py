"""drctl as a service: systemd runs the units that `drctl run --units` writes, in a machine of
namespaces, as an operator would have it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from netns_case import Host, segment
from systemd_case import Machine, machine

from drctl.lab.pair.client import Client

VIP, MORE = "192.0.2.100", "192.0.2.101"
DRCTL = (sys.executable, "-m", "drctl")
KEEPALIVED = """
global_defs {
    script_user keepalived_script
    enable_script_security
}
vrrp_script alive {
    script "/usr/local/bin/alive"
    interval 1
}
vrrp_instance web {
    interface eth0
    virtual_router_id 51
    priority 100
    virtual_ipaddress {
        192.0.2.100/24
    }
    track_script {
        alive
    }
    notify "/usr/local/bin/tell"
    notify_fault "/usr/local/bin/fault" root root
}
virtual_server 192.0.2.100 80 {
    lb_kind DR
    real_server 192.0.2.20 80 {
        TCP_CHECK {
            connect_timeout 3
        }
    }
}
"""
SETTINGS = """
node = "lb1"
config = "/etc/keepalived/keepalived.conf"
[keys]
secret = "/etc/drctl/lb1.secret"
[timing]
fence = "8s"
lease = "10s"
[[peer]]
node = "lb2"
public = "/etc/drctl/lb2.public"
[[peer.link]]
local = "192.0.2.1"
peer = "192.0.2.2"
"""
SCRIPT = """\
#!/bin/sh
echo "$(id -un):$(id -gn) $*" >> /var/log/{name}
"""


FORGERY = """\
import json, socket
program = {{"argv": ["/bin/sh", "-c", "id > /var/log/forged"], "uid": None, "gid": None}}
track = {{"name": "forged", "program": program, "interval_ms": 100}}
settings = {{"notifies": [], "tracks": [track], "mail": None, "limit_ms": 1000, "files": [],
            "processes": []}}
channel = socket.socket(socket.AF_UNIX)
channel.connect("/run/drctl-scripts.sock")
channel.sendall(json.dumps({{"settings": settings, "when": "start"}}).encode() + b"\\n")
while answer := channel.recv(65536):
    print(answer.decode())
"""
BUSY_MS = 50
"""So long an answer may take on a machine that has other work."""


@dataclass
class Service:
    """The service in its machine, and a client that asks for the VIP."""

    machine: Machine
    client: Client

    @property
    def pid(self) -> int:
        """The controller, as the machine numbers it."""
        return int(self.machine.show("drctl", "MainPID"))

    def kill(self, name: str, *pids: int) -> None:
        self.machine.run("kill", f"-{name}", *map(str, pids))

    def guard(self) -> int:
        return int(self.machine.run("pgrep", "-x", "drctl-guard"))

    def until(self, is_it: Callable[[], object], within_s: float = 20) -> None:
        limit_s = time.monotonic() + within_s
        while not is_it():
            assert time.monotonic() < limit_s, self.machine.journal()
            time.sleep(0.02)

    def await_active(self) -> None:
        self.until(lambda: "active web" in self.machine.show("drctl", "StatusText"))
        self.until(self.client.last_holder)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    with segment() as made:
        lb1 = made.host("lb1", "192.0.2.1/24")
        made.host("rs", "192.0.2.20/24")
        client_host = made.host("client", "192.0.2.9/24")
        with machine(lb1, folder / "machine") as booted:
            prepare(booted, lb1)
            client = Client(client_host, VIP, {lb1.mac(): "lb1"}, period_s=0.005)
            try:
                yield Service(booted, client)
            finally:
                client.close()
                print(booted.journal())


def prepare(booted: Machine, lb1: Host) -> None:
    assert lb1.name == "lb1"
    for file, line in (
        ("/etc/passwd", "keepalived_script:x:4711:4711::/:/bin/sh\n"),
        ("/etc/group", "keepalived_script:x:4711:\n"),
    ):
        booted.write(file, booted.read(file) + line)
    booted.write("/etc/keepalived/keepalived.conf", KEEPALIVED, 0o600)
    booted.write("/etc/drctl/drctl.toml", SETTINGS)
    booted.run(*DRCTL, "keygen", "lb1", "lb2", "-o", "/etc/drctl/keys")
    for name in ("lb1.secret", "lb2.public"):
        booted.run("cp", f"/etc/drctl/keys/{name}", "/etc/drctl/")
    for name in ("alive", "tell", "fault"):
        booted.write(f"/usr/local/bin/{name}", SCRIPT.format(name=name), 0o755)
        booted.write(f"/var/log/{name}", "", 0o666)
    booted.run(*DRCTL, "run", "--units", "/etc/systemd/system")
    booted.run("systemctl", "daemon-reload")


def test_unit_starts_takes_the_vip_and_runs_scripts_as_their_user(service: Service) -> None:
    at = service.machine
    at.run("systemctl", "start", "drctl")
    service.await_active()
    assert at.show("drctl", "NRestarts") == "0"
    service.until(lambda: "INSTANCE web MASTER 100" in at.read("/var/log/tell"))
    assert (
        at.read("/var/log/alive").splitlines()[0].strip() == "keepalived_script:keepalived_script"
    )
    told = at.read("/var/log/tell").splitlines()
    assert told[-1] == "keepalived_script:keepalived_script INSTANCE web MASTER 100"
    status = at.read(f"/proc/{service.pid}/status")
    capabilities = next(line for line in status.splitlines() if line.startswith("CapBnd"))
    assert int(capabilities.split()[1], 16) == 1 << 12 | 1 << 13, "NET_ADMIN and NET_RAW"
    assert "Seccomp:\t2" in status
    assert "NoNewPrivs:\t1" in status


def test_reload_of_the_unit_brings_another_vip_and_other_scripts(service: Service) -> None:
    at, before = service.machine, service.pid
    more = f"192.0.2.100/24\n        {MORE}/24"
    text = KEEPALIVED.replace("192.0.2.100/24", more).replace("bin/alive", "bin/well")
    at.write("/usr/local/bin/well", SCRIPT.format(name="well"), 0o755)
    at.write("/var/log/well", "", 0o666)
    at.write("/etc/keepalived/keepalived.conf", text, 0o600)
    at.run("systemctl", "reload", "drctl")
    service.until(lambda: MORE in at.addresses())
    service.until(lambda: at.read("/var/log/well").startswith("keepalived_script:"))
    assert (service.pid, at.show("drctl", "ActiveState")) == (before, "active")
    at.write("/etc/keepalived/keepalived.conf", KEEPALIVED, 0o600)
    at.run("systemctl", "reload", "drctl")
    service.until(lambda: MORE not in at.addresses())


def test_reload_of_the_unit_fails_with_a_bad_file_and_changes_nothing(service: Service) -> None:
    at, before = service.machine, service.pid
    at.write("/etc/keepalived/keepalived.conf", KEEPALIVED.replace("web {", "web"), 0o600)
    assert at.attempt("systemctl", "reload", "drctl").returncode != 0
    at.write("/etc/keepalived/keepalived.conf", KEEPALIVED, 0o600)
    assert (service.pid, at.show("drctl", "ActiveState")) == (before, "active")
    assert service.client.last_holder() == "lb1"


def test_controller_that_hangs_is_killed_by_the_watchdog_and_started_again(
    service: Service,
) -> None:
    at, before = service.machine, service.pid
    service.kill("STOP", before)
    service.until(lambda: service.pid not in {0, before})
    service.await_active()
    assert "Watchdog" in at.journal()


def test_everything_killed_leaves_no_vip_although_no_process_lives(service: Service) -> None:
    at = service.machine
    at.write("/etc/systemd/system/drctl.service.d/test.conf", "[Service]\nRestart=no\n")
    at.run("systemctl", "daemon-reload")
    assert VIP in at.addresses()
    guard = service.guard()
    service.kill("KILL", guard, service.pid)
    # without the unit's help the fence would stay open for 8 s, and the address for 10
    service.until(lambda: VIP not in at.addresses(), within_s=4)
    service.until(lambda: at.show("drctl", "ActiveState") == "failed")
    # nor a fence that silences whoever has the VIP on this host next
    assert at.run("nft", "list", "ruleset") == ""
    at.run("systemctl", "start", "drctl")
    service.await_active()


def test_own_address_stays_when_the_vip_before_it_in_the_subnet_is_lost(service: Service) -> None:
    """The VIP becomes the primary address of its subnet; its end would be that of the others."""
    at = service.machine
    at.host.ip("address", "delete", "192.0.2.1/24", "dev", "eth0")
    at.host.ip("address", "add", "192.0.2.1/24", "dev", "eth0")
    shown = at.host.ip("-o", "-4", "address", "show", "dev", "eth0")
    own = next(line for line in shown.splitlines() if "192.0.2.1/24" in line)
    assert "secondary" in own, shown
    service.kill("KILL", service.guard(), service.pid)
    service.until(lambda: VIP not in at.addresses())
    assert "192.0.2.1" in at.addresses()
    at.run("systemctl", "start", "drctl")
    service.await_active()


def test_scripts_that_the_configuration_does_not_name_are_not_run(service: Service) -> None:
    """Whoever speaks for the daemon gets no more from the privileged process than it would."""
    at = service.machine
    at.write("/usr/local/bin/forge", FORGERY.format(), 0o755)
    told = at.run(sys.executable, "/usr/local/bin/forge")
    assert "have changed since" in told
    assert at.read("/var/log/forged") == ""


def test_daemon_that_leaves_is_not_started_again_and_the_vip_stays(service: Service) -> None:
    at = service.machine
    at.run("rm", "/etc/systemd/system/drctl.service.d/test.conf")
    at.run("systemctl", "daemon-reload")
    at_ms = time.monotonic() * 1000
    at.run(*DRCTL, "run", "--leave")
    service.until(lambda: at.show("drctl", "ActiveState") == "inactive")
    assert at.show("drctl", "Result") == "success"
    assert VIP in at.addresses()
    assert at.run("nft", "list", "tables") == ""
    # and the next one adopts it
    at.run("systemctl", "start", "drctl")
    service.await_active()
    seen = service.client.seen(at_ms)
    assert seen.outage_ms < BUSY_MS, at.journal()


def test_stopped_unit_gives_the_vip_up_and_tells_scripts(service: Service) -> None:
    at = service.machine
    at.run("systemctl", "stop", "drctl")
    assert VIP not in at.addresses()
    assert at.show("drctl", "Result") == "success"
    assert at.read("/var/log/tell").splitlines()[-1].endswith("INSTANCE web STOP 100")
    assert at.attempt("pgrep", "-f", "drctl").stdout == ""
