"""`drctl run` where nobody answers: all that surrounds the loop, at work together."""

from __future__ import annotations

import json
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drctl.cli.main import main
from drctl.daemon.control_client import NotAnswered, ask
from drctl.daemon.guard_client import Lock
from drctl.daemon.history import read
from drctl.daemon.state import State
from tools import need, need_root

NETWORK = (
    "ip link set lo up; ip link add eth0 type veth peer name eth1; ip link set eth0 up; "
    "ip link set eth1 up; ip addr add 192.0.2.1/24 dev eth0; exec "
)
KEEPALIVED = """
global_defs {
    script_user root
}
vrrp_track_file load {
    file DIR/load
    init_file 0
}
vrrp_instance web {
    interface eth0
    virtual_router_id 51
    priority 100
    virtual_ipaddress {
        192.0.2.10/24
    }
    track_file {
        load weight 1
    }
    notify "DIR/notify"
}
"""
DRCTL = """
node = "lb1"
config = "DIR/keepalived.conf"
control = "DIR/control.sock"
state_dir = "DIR/state"
[keys]
secret = "DIR/keys/lb1.secret"
[[peer]]
node = "lb2"
public = "DIR/keys/lb2.public"
[[peer.link]]
local = "192.0.2.1"
peer = "192.0.2.2"
"""


def until(done: Callable[[], object]) -> None:
    end_s = time.monotonic() + 20
    while not done():
        assert time.monotonic() < end_s
        select.select((), (), (), 0.02)


def prepare(folder: Path) -> None:
    for name, text in (("keepalived.conf", KEEPALIVED), ("drctl.toml", DRCTL)):
        (folder / name).write_text(text.replace("DIR", str(folder)))
    (folder / "notify").write_text(f'#!/bin/sh\necho "$*" >> {folder}/notified\n')
    (folder / "notify").chmod(0o755)
    assert main(["keygen", "lb1", "lb2", "-o", str(folder / "keys")]) == 0


def group(folder: Path) -> dict[str, Any]:
    try:
        answer = ask(folder / "control.sock", {"command": "status"}, 5)
    except NotAnswered:
        return {"role": "", "priority": 0}
    found: dict[str, Any] = answer["status"]["groups"][0]
    return found


def test_daemon_tracks_notifies_records_and_obeys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need_root()
    need("ip", "iproute2")
    prepare(tmp_path)
    config = str(tmp_path / "drctl.toml")
    command = [need("unshare", "util-linux"), "--net", "sh", "-c"]
    daemon = subprocess.Popen(
        [*command, f"{NETWORK} {sys.executable} -m drctl run -c {config}"], stderr=subprocess.PIPE
    )
    try:
        until(lambda: group(tmp_path)["role"] == "fault" or daemon.poll() is not None)
        (tmp_path / "load").write_text("7")
        until(lambda: group(tmp_path)["priority"] == 107)
        capsys.readouterr()
        assert main(["switch", "-c", config, "--target", "lb9"]) == 1
        assert main(["switch", "-c", config, "--group", "wep"]) == 1
        assert capsys.readouterr().err.splitlines() == [
            "drctl: there is no director lb9; there is lb1, lb2",
            "drctl: there is no group wep; there is web",
        ]
        assert main(["pause", "-c", config]) == 0
        assert group(tmp_path)["role"] == "held"
        paused = json.loads((tmp_path / "state" / "paused.json").read_text())
        assert paused["groups"] == ["web"]
        assert main(["resume", "-c", config]) == 0
        until(lambda: group(tmp_path)["role"] == "fault")
        daemon.terminate()
        assert daemon.wait(20) == 0
    finally:
        daemon.kill()
        assert daemon.stderr is not None
        print(daemon.stderr.read().decode())
        daemon.stderr.close()
        daemon.wait()
    assert (tmp_path / "notified").read_text().splitlines() == [
        "INSTANCE web FAULT 100",
        "INSTANCE web BACKUP 107",
        "INSTANCE web FAULT 107",
        "INSTANCE web STOP 107",
    ]
    events = read(tmp_path / "state" / "history.sqlite3")
    kinds = [event["kind"] for event in events]
    assert (kinds[0], kinds[-1]) == ("start", "stop")
    assert {"role", "track", "script", "command"} <= set(kinds)
    assert [event["reason"] for event in events if event["kind"] == "command"] == [
        "pause",
        "resume",
    ]
    first = next(event for event in events if event["kind"] == "role")
    assert first["after"] == "fault"
    assert first["evidence"]["witnesses"] == [{"interface": "eth0", "known": 1, "answering": 0}]


def test_daemon_drops_leased_vips_of_an_earlier_run_that_are_not_configured(
    tmp_path: Path,
) -> None:
    need_root()
    need("ip", "iproute2")
    prepare(tmp_path)
    (tmp_path / "state").mkdir(mode=0o700)
    former = {"schema": 1, "addresses": ["192.0.2.98", "192.0.2.99"]}
    (tmp_path / "state" / "addresses.json").write_text(json.dumps(former))
    config = str(tmp_path / "drctl.toml")
    there = (
        "ip address add 192.0.2.98/32 dev eth0; "
        "ip address add 192.0.2.99/32 dev eth0 valid_lft 600 preferred_lft 600; "
    )
    command = [need("unshare", "util-linux"), "--net", "sh", "-c"]
    network = NETWORK.replace("exec ", f"{there}exec ")
    line = f"{network} {sys.executable} -m drctl run -c {config}"
    daemon = subprocess.Popen([*command, line])
    try:
        until(lambda: group(tmp_path)["role"] == "fault" or daemon.poll() is not None)
        pid = ask(tmp_path / "control.sock", {"command": "status"}, 5)["status"]["pid"]
        enter = [need("nsenter", "util-linux"), f"--net=/proc/{pid}/ns/net"]
        shown = subprocess.run(
            [*enter, "ip", "-oneline", "address"], capture_output=True, text=True, check=True
        ).stdout
        assert "192.0.2.98/32" in shown
        assert "192.0.2.99/32" not in shown
        daemon.terminate()
        assert daemon.wait(20) == 0
    finally:
        daemon.kill()
        daemon.wait()


def test_daemon_reads_its_state_when_the_one_before_has_written_it_all(tmp_path: Path) -> None:
    need_root()
    need("ip", "iproute2")
    prepare(tmp_path)
    before = State.open(tmp_path / "state")
    lock = Lock.acquire(tmp_path / "state" / "lock")
    command = [need("unshare", "util-linux"), "--net", "sh", "-c"]
    line = f"{NETWORK} {sys.executable} -m drctl run -c {tmp_path}/drctl.toml"
    with (tmp_path / "log").open("wb") as log:
        daemon = subprocess.Popen([*command, line], stderr=log)
    try:
        until(lambda: "lock_awaited" in (tmp_path / "log").read_text())
        before.reserve(5000)
        before.set_paused({"web"})
        lock.release()
        until(lambda: group(tmp_path)["role"] or daemon.poll() is not None)
        found = group(tmp_path)
        assert (found["role"], found["epoch"]) == ("held", 5000)
        daemon.terminate()
        assert daemon.wait(20) == 0
    finally:
        before.close()
        daemon.kill()
        daemon.wait()
