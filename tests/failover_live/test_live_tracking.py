"""What is tracked counts for a daemon that runs: cards without VIPs, files, processes, scripts."""

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

DRCTL = (sys.executable, "-m", "drctl")
PATIENCE_S = 30.0
KEEPALIVED = """\
vrrp_script flag {{
    script "/usr/bin/test -e {folder}/flag"
    interval 1
}}
track_file number {{
    file {folder}/number
}}
vrrp_track_process helper {{
    process {folder}/helper
    full_command
    weight 20
}}
vrrp_instance web {{
    interface eth0
    virtual_router_id 51
    priority 100
    virtual_ipaddress {{
        192.0.2.100/24
    }}
    track_interface {{
        spare weight 10
        must
    }}
    track_script {{
        flag
    }}
    track_file {{
        number
    }}
    track_process {{
        helper
    }}
    notify {folder}/hook.sh
}}
"""
SETTINGS = """\
node = "lb1"
config = "{folder}/keepalived.conf"
control = "{folder}/control.sock"
state_dir = "{folder}/state"
witnesses = ["192.0.2.20"]
[keys]
secret = "{folder}/keys/lb1.secret"
[[peer]]
node = "lb2"
public = "{folder}/keys/lb2.public"
[[peer.link]]
local = "192.0.2.1"
peer = "192.0.2.2"
"""


def card(name: str) -> tuple[str, ...]:
    """Makes a card with a carrier."""
    add = f"link add {name} type veth peer name {name}-peer"
    return add, f"link set {name}-peer up", f"link set {name} up"


@dataclass
class Director:
    """A director whose peer is not there."""

    host: Host
    folder: Path

    def group(self) -> dict[str, Any]:
        """What it says of its group; nothing while it does not answer."""
        command = [*DRCTL, "status", "--json", "-c", str(self.folder / "drctl.toml")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return dict(json.loads(done.stdout)["groups"][0]) if done.returncode == 0 else {}

    def await_(self, role: str, priority: int) -> None:
        """Until it has that role and priority."""
        limit_s = time.monotonic() + PATIENCE_S
        while True:
            found = self.group()
            if found and (found["role"], found["priority"]) == (role, priority):
                return
            assert time.monotonic() < limit_s, (found, self.log())

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def hooks(self) -> list[str]:
        """States that hooks were told."""
        path = self.folder / "hooks"
        return path.read_text().split() if path.exists() else []


@pytest.fixture
def director(tmp_path: Path) -> Iterator[Director]:
    with segment() as made:
        made.host("rs", "192.0.2.20/24")
        host = made.host("lb1", "192.0.2.1/24")
        host.ip_batch(*card("must"))
        subprocess.run([*DRCTL, "keygen", "lb1", "lb2", "-o", str(tmp_path / "keys")], check=True)
        (tmp_path / "keepalived.conf").write_text(KEEPALIVED.format(folder=tmp_path))
        (tmp_path / "drctl.toml").write_text(SETTINGS.format(folder=tmp_path))
        hook = tmp_path / "hook.sh"
        hook.write_text(f"#!/bin/sh\necho $3 >> {tmp_path}/hooks\n")
        hook.chmod(0o755)
        command = host.command(*DRCTL, "run", "-c", str(tmp_path / "drctl.toml"))
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(command, stderr=log)
        yield Director(host, tmp_path)
        process.terminate()
        process.wait(PATIENCE_S)


def test_director_takes_nothing_before_its_script_has_succeeded(director: Director) -> None:
    director.await_("fault", 100)
    assert "to=taking" not in director.log()
    (director.folder / "flag").touch()
    director.await_("active", 100)
    wait_for(lambda: len(director.hooks()) == 3)
    assert director.hooks() == ["FAULT", "BACKUP", "MASTER"]


def test_cards_files_and_processes_count_at_once(director: Director) -> None:
    (director.folder / "flag").touch()
    director.await_("active", 100)
    # a card that comes, gets another name, comes back and goes
    director.host.ip_batch(*card("spare"))
    director.await_("active", 110)
    director.host.ip_batch("link set spare name other")
    director.await_("active", 100)
    director.host.ip_batch("link set other name spare")
    director.await_("active", 110)
    director.host.ip_batch("link set spare down")
    director.await_("active", 100)
    director.host.ip_batch("link set spare up")
    director.await_("active", 110)
    director.host.ip_batch("link delete spare")
    director.await_("active", 100)
    number = director.folder / "number"
    number.write_text("30\n")
    director.await_("active", 130)
    number.write_text("-253\n")
    director.await_("active", 1)
    number.write_text("-254\n")
    director.await_("fault", 100)
    number.unlink()
    director.await_("active", 100)
    helper = director.folder / "helper"
    helper.symlink_to("/bin/sleep")
    with subprocess.Popen([str(helper), "1000"]) as process:
        director.await_("active", 120)
        process.kill()
    director.await_("active", 100)
    # without a weight its end is the group's
    director.host.ip_batch("link delete must")
    director.await_("fault", 100)
    director.host.ip_batch(*card("must"))
    director.await_("active", 100)


def wait_for(what: Callable[[], object]) -> None:
    limit_s = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < limit_s
