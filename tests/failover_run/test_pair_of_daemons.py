"""`drctl run` on two hosts, as a user starts it: from keys and files to a history."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from netns_case import Host, segment

from drctl.adapters.fence import unusable_reason
from tools import need, need_root, refuse

DRCTL = str(Path(sys.executable).with_name("drctl"))
PATIENCE_S = 30.0

KEEPALIVED = """\
vrrp_script alive {{
    script "/usr/bin/test ! -e {folder}/broken"
    interval 1
    fall 1
    rise 1
}}
vrrp_instance web {{
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority {priority}
    advert_int 1
    nopreempt
    virtual_ipaddress {{
        192.0.2.100/24 dev eth0 label eth0:1
        192.0.2.101/24
    }}
    track_script {{
        alive
    }}
    notify {folder}/hook.sh
}}
virtual_server 192.0.2.100 80 {{
    lb_kind DR
    real_server 192.0.2.20 80 {{
        TCP_CHECK {{
            connect_timeout 3
        }}
    }}
}}
"""
SETTINGS = """\
node = "{node}"
config = "{folder}/keepalived.conf"
control = "{folder}/control.sock"
state_dir = "{folder}/state"
[keys]
secret = "{keys}/{node}.secret"
[[peer]]
node = "{peer}"
public = "{keys}/{peer}.public"
[[peer.link]]
local = "{local}"
peer = "{remote}"
port = 5390
"""
ADDRESSES = {"lb1": "192.0.2.1", "lb2": "192.0.2.2"}


@dataclass
class Director:
    """A host with its daemon."""

    name: str
    host: Host
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def settings(self) -> str:
        return str(self.folder / "drctl.toml")

    def start(self) -> None:
        command = ["ip", "netns", "exec", self.host.namespace, DRCTL, "run", "-c", self.settings]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log)

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(PATIENCE_S)

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [DRCTL, words[0], "-c", self.settings, *words[1:]]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def status(self) -> dict[str, Any]:
        done = self.ask("status", "--json")
        return dict(json.loads(done.stdout)) if done.returncode == 0 else {}

    def role(self) -> str:
        groups = self.status().get("groups", [{"role": "none"}])
        return str(groups[0]["role"])

    def has_vip(self) -> bool:
        return "192.0.2.100/24" in self.host.ip("address", "show", "eth0")

    def log(self) -> str:
        return (self.folder / "log").read_text()


def wait_for(what: Callable[[], bool], story: Callable[[], str]) -> None:
    """Look until it is so; the story is told when it does not get so."""
    end = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < end, story()


def _hears(director: Director) -> bool:
    return all(peer["alive"] for peer in director.status()["peers"])


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Director, Director]]:
    """Two directors and a real server at one switch; lb1 has been started first."""
    with segment() as made:
        directors = []
        made.host("rs", "192.0.2.20/24")
        keys = tmp_path / "keys"
        subprocess.run([DRCTL, "keygen", *ADDRESSES, "-o", str(keys)], check=True)
        for name, own in ADDRESSES.items():
            peer = next(other for other in ADDRESSES if other != name)
            folder = tmp_path / name
            folder.mkdir()
            values = {"node": name, "peer": peer, "folder": folder, "keys": keys, "local": own}
            values |= {"remote": ADDRESSES[peer], "priority": 150 if name == "lb1" else 100}
            (folder / "keepalived.conf").write_text(KEEPALIVED.format(**values))
            (folder / "drctl.toml").write_text(SETTINGS.format(**values))
            hook = folder / "hook.sh"
            hook.write_text(f'#!/bin/sh\necho "$@" >> {folder}/hooks\n')
            hook.chmod(0o755)
            directors.append(Director(name, made.host(name, f"{own}/24"), folder))
        with directors[0].host.inside():
            if reason := unusable_reason():
                refuse(reason)
        try:
            first, second = directors
            first.start()
            wait_for(lambda: first.role() == "active", first.log)
            second.start()
            wait_for(lambda: second.role() == "standby", second.log)
            wait_for(lambda: _hears(first) and _hears(second), second.log)
            yield first, second
        finally:
            for director in directors:
                if director.process is not None and director.process.poll() is None:
                    director.process.kill()
                    director.process.wait()


def test_pair_holds_switches_pauses_and_tells_its_history(
    pair: tuple[Director, Director],
) -> None:
    first, second = pair
    assert (first.has_vip(), second.has_vip()) == (True, False)
    done = first.ask("switch")
    assert (done.returncode, done.stdout) == (0, "web: lb2 holds it\n"), done
    passed_on = first.ask("switch", "--target", "lb1")
    assert (passed_on.returncode, passed_on.stdout) == (0, "web: lb1 holds it\n"), passed_on
    assert (first.has_vip(), second.has_vip()) == (True, False)
    done = second.ask("switch")
    assert (done.returncode, done.stdout) == (0, "web: lb2 holds it\n"), done
    assert (first.has_vip(), second.has_vip()) == (False, True)
    paused = first.ask("pause")
    assert (paused.returncode, first.role()) == (0, "held"), paused
    refused = second.ask("switch")
    assert refused.returncode == 1
    reason = "no other director can take it: lb1 is paused or stopping"
    assert reason in refused.stdout + refused.stderr
    assert first.stop() == 0
    first.start()
    wait_for(lambda: first.role() == "held", first.log)
    assert first.ask("resume").returncode == 0
    wait_for(lambda: first.role() == "standby", first.log)
    assert second.stop() == 0
    wait_for(first.has_vip, first.log)
    wait_for(lambda: (first.folder / "hooks").read_text().count("MASTER") == 3, first.log)
    history = first.ask("history").stdout
    assert "handed over to lb2" in history
    assert "command  switch" in history


def test_pair_moves_when_a_tracked_script_fails_and_when_a_controller_is_killed(
    pair: tuple[Director, Director],
) -> None:
    first, second = pair
    (first.folder / "broken").touch()
    wait_for(lambda: first.role() == "fault" and second.role() == "active", first.log)
    (first.folder / "broken").unlink()
    wait_for(lambda: first.role() == "standby", first.log)
    assert second.process is not None
    pid = second.status()["pid"]
    subprocess.run(["kill", "-9", str(pid)], check=True)
    second.process.wait(PATIENCE_S)
    wait_for(lambda: first.role() == "active", first.log)
    wait_for(lambda: not second.has_vip(), second.log)


def test_run_check_names_what_is_not_carried_out_and_what_is_not_there(tmp_path: Path) -> None:
    need_root()
    folder = tmp_path / "lb1"
    folder.mkdir()
    subprocess.run([DRCTL, "keygen", "lb1", "lb2", "-o", str(tmp_path)], check=True)
    values = {"node": "lb1", "peer": "lb2", "folder": folder, "keys": tmp_path, "priority": 150}
    values |= {"local": "192.0.2.1", "remote": "192.0.2.2"}
    text = KEEPALIVED.format(**values).replace("    nopreempt\n", "    use_vmac\n")
    (folder / "keepalived.conf").write_text(text)
    (folder / "drctl.toml").write_text(SETTINGS.format(**values))
    (folder / "bare.toml").write_text(
        SETTINGS.format(**values).replace("keepalived.conf", "bare.conf")
    )
    (folder / "bare.conf").write_text(text.replace("eth0\n", "eth7\n"))
    network = "ip link add eth0 type veth peer name eth1; exec "
    command = [need("unshare", "util-linux"), "--net", "sh", "-c", f'{network} "$@"', "sh", DRCTL]
    command += ["run", "--check", "-c"]
    bare = subprocess.run(
        [*command, str(folder / "bare.toml"), "--accept-unsupported"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert bare.returncode == 2
    assert f"{folder}/bare.conf:16: eth7 does not exist on this host" in bare.stderr
    command.append(str(folder / "drctl.toml"))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"{folder}/keepalived.conf:13: use_vmac" in done.stderr
    accepted = subprocess.run(
        [*command, "--accept-unsupported"], capture_output=True, text=True, check=False
    )
    assert accepted.returncode == 0, accepted.stderr
    assert "web: 2 VIPs, priority 150" in accepted.stdout
    assert "the daemon needs" not in accepted.stdout
    # root without the rights, as in a container that nobody gave them to
    bounded = [need("setpriv", "util-linux"), "--bounding-set=-net_raw", "--inh-caps=-net_raw"]
    words = [*command[:6], *bounded, DRCTL, "run", "-c", command[-1], "--accept-unsupported"]
    noted = subprocess.run([*words, "--check"], capture_output=True, text=True, check=False)
    assert "note: the daemon needs CAP_NET_RAW, which this user has not" in noted.stdout, noted
    refused = subprocess.run(words, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "it needs CAP_NET_RAW: run it as root" in refused.stderr
