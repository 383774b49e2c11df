"""What a reload reads, in a process of its own, and what it finds to be different."""

from __future__ import annotations

import os
import pickle
import select
import signal
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

from corpus import PROJECT

from drctl import __version__
from drctl.adapters.heartbeat_socket import HeartbeatLink
from drctl.adapters.key_files import write_keys
from drctl.adapters.keys import Keyring, SecretKey
from drctl.core.value import Group, Interface, Link, Peer, Settings, Timing, Vip
from drctl.daemon.config import DaemonConfig, PeerConfig
from drctl.daemon.hook_value import HookSettings
from drctl.daemon.preparation import Preparation, Unready
from drctl.daemon.preparation_shape import MODULES, shape
from drctl.daemon.reload_change import FIXED, MOST_NAMED, differences, fixed
from drctl.daemon.reload_reader import Reader, reaped

SETTINGS = """\
node = "lb1"
config = "{folder}/keepalived.conf"
[keys]
secret = "{folder}/lb1.secret"
[[peer]]
node = "lb2"
public = "{folder}/lb2.public"
[[peer.link]]
local = "192.0.2.1"
peer = "192.0.2.2"
"""
KEEPALIVED = """\
vrrp_instance web {
    interface nosuchcard
    virtual_router_id 51
    prioriti 100
    use_vmac
    virtual_ipaddress {
        192.0.2.100/24
    }
}
"""


def _read(path: Path) -> Preparation | Unready:
    reader = Reader(str(path), 0, has_fence=True, accepts=False)
    try:
        end_s = time.monotonic() + 60
        while time.monotonic() < end_s:
            select.select([reader], [], [], 1)
            found = reader.receive()
            if found is not None:
                return found
        raise AssertionError("it does not end")
    finally:
        process = reader.close()
        process.wait()
        assert reaped([process]) == []


def test_bad_files_every_reason_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "drctl.toml").write_text(SETTINGS.format(folder=tmp_path))
    (tmp_path / "keepalived.conf").write_text(KEEPALIVED)
    write_keys(["lb1", "lb2"], str(tmp_path), is_forced=False)
    (tmp_path / "lb1.secret").chmod(0o644)
    found = _read(tmp_path / "drctl.toml")
    assert isinstance(found, Unready)
    text = "\n".join(found.lines)
    assert f"{tmp_path}/keepalived.conf:4: prioriti 100" in text
    assert f"{tmp_path}/keepalived.conf:5: use_vmac" in text
    assert f"{tmp_path}/lb1.secret" in text


def test_toml_that_is_none_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "drctl.toml").write_text('node = "lb1"\nconfig = \n')
    found = _read(tmp_path / "drctl.toml")
    assert isinstance(found, Unready)
    assert found.lines[0].startswith(f"{tmp_path}/drctl.toml:2: ")


def test_card_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "drctl.toml").write_text(SETTINGS.format(folder=tmp_path))
    text = KEEPALIVED.replace("prioriti", "priority").replace("    use_vmac\n", "")
    (tmp_path / "keepalived.conf").write_text(text)
    write_keys(["lb1", "lb2"], str(tmp_path), is_forced=False)
    found = _read(tmp_path / "drctl.toml")
    assert isinstance(found, Unready)
    (line,) = found.lines
    assert line.startswith(f"{tmp_path}/keepalived.conf:")
    assert "nosuchcard does not exist on this host" in line


def test_reader_that_dies_is_told(tmp_path: Path) -> None:
    reader = Reader(str(tmp_path / "none"), 0, has_fence=True, accepts=False)
    os.kill(reader.pid, signal.SIGKILL)
    select.select([reader], [], [], 60)
    found = reader.receive()
    assert isinstance(found, Unready)
    assert "has died" in found.lines[0]
    reader.close().wait()


def _told(*said: bytes) -> Preparation | Unready:
    """What a reader makes of it, in place of what its process says."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    reader = Reader("/nonexistent/drctl.toml", 0, has_fence=True, accepts=False)
    try:
        ours.setblocking(False)
        os.dup2(ours.fileno(), reader.fileno())
        theirs.sendall(b"".join(said))
        theirs.close()
        while (found := reader.receive()) is None:
            select.select([reader], [], [], 1)
        return found
    finally:
        ours.close()
        reader.close().wait()


def test_preparation_of_another_drctl_is_refused_unread() -> None:
    """Its classes may have other fields, and pickled objects take them in their order."""
    found = _told(b"9.9.9 0123456789abcdef\n", b"cno_such_module\nno_such_class\n.")
    assert isinstance(found, Unready)
    (line,) = found.lines
    assert "(9.9.9) is not the one that runs: restart the daemon" in line
    found = _told(shape(), pickle.dumps(("one", "two")))
    assert isinstance(found, Unready)
    assert found.lines == ("one", "two")
    assert shape().startswith(f"{__version__} ".encode())


def test_shape_is_of_every_class_that_a_preparation_may_hold() -> None:
    waiting: list[Any] = [Preparation]
    found: set[type] = set()
    while waiting:
        kind = waiting.pop()
        waiting += get_args(kind)
        if isinstance(kind, type) and kind.__module__.startswith("drctl.") and kind not in found:
            found.add(kind)
            waiting += get_type_hints(kind).values()
    assert {kind.__module__ for kind in found} == {module.__name__ for module in MODULES}


def test_preparation_that_is_cut_off_anywhere_is_none() -> None:
    whole = shape() + pickle.dumps(_preparation())
    assert _told(whole) == _preparation()
    for size in range(0, len(whole), 97):
        found = _told(whole[:size])
        assert isinstance(found, Unready)
        assert "has died" in found.lines[0]


GROUP = Group("web", (Vip("192.0.2.100", 24, "eth0"), Vip("192.0.2.101", 24, "eth0")), ("eth0",))
CARD = Interface("eth0", ("02:00:00:00:00:01",), ("192.0.2.20",))


def _preparation(*groups: Group) -> Preparation:
    return Preparation(
        DaemonConfig("/etc/drctl/drctl.toml", "lb1", "c", "s", (PeerConfig("lb2", "p"),)),
        Settings("lb1", groups or (GROUP,), (Peer("lb2", (Link("a"),)),), (CARD,), Timing()),
        (HeartbeatLink("lb2", "a", "192.0.2.1", "192.0.2.2", 5390),),
        HookSettings(),
        Keyring(SecretKey("own", "secret"), {"lb2": ("one",)}),
        {"eth0": (("192.0.2.1", 24),)},
    )


def test_nothing_differs_there_is_nothing_to_tell() -> None:
    assert differences(_preparation(), _preparation()) == ()
    assert fixed(_preparation(), _preparation()) == ()


def test_groups_that_differ_are_told_one_by_one() -> None:
    before = _preparation(GROUP, Group("mail", (Vip("192.0.2.110", 24, "eth0"),), ("eth0",)))
    changed = replace(
        GROUP,
        priority=150,
        vips=(Vip("192.0.2.100", 32, "eth0"), Vip("192.0.2.110", 24, "eth0")),
    )
    new = Group("dns", (Vip("192.0.2.53", 24, "eth0"),), ("eth0",))
    assert set(differences(before, _preparation(changed, new))) == {
        "group web: priority 100 -> 150",
        "group web: 192.0.2.110 added",
        "group web: 192.0.2.101 taken out",
        "group web: 192.0.2.100 has another prefix, card, label, scope or broadcast address",
        "group dns is new, with 1 VIPs",
        "group mail is gone, with 1 VIPs",
        "192.0.2.110 moves from mail to web",
    }


def test_many_vips_are_told_by_their_number() -> None:
    many = tuple(Vip(f"198.18.0.{host}", 24, "eth0") for host in range(50))
    lines = differences(_preparation(), _preparation(replace(GROUP, vips=(*GROUP.vips, *many))))
    assert len(lines) == MOST_NAMED + 1
    assert lines[-1] == "group web: ... and 40 more like 198.18.0.10 added"


def test_links_keys_timing_and_witnesses_are_told_and_no_key_is() -> None:
    before = _preparation()
    after = replace(
        before,
        settings=replace(
            before.settings,
            timing=Timing(heartbeat_ms=50),
            interfaces=(replace(CARD, witnesses=("192.0.2.20", "192.0.2.21")),),
        ),
        links=(HeartbeatLink("lb2", "b", "198.51.100.1", "198.51.100.2", 5390),),
        keyring=Keyring(SecretKey("other", "secret"), {"lb2": ("one", "two")}),
    )
    lines = differences(before, after)
    assert set(lines) == {
        "timing: heartbeat_ms 100 -> 50",
        "link 198.51.100.1 - 198.51.100.2 to lb2 added",
        "link 192.0.2.1 - 192.0.2.2 to lb2 taken out",
        "this node has another key",
        "keys that are accepted from lb2: 2, 1 of them new",
        "interface eth0: 2 witnesses are named",
    }


def test_what_only_a_start_uses_is_refused_and_is_in_the_documentation() -> None:
    before = _preparation()
    other = replace(
        before.config,
        node="x",
        state_dir="x",
        control="x",
        fence_kind="x",
        metrics_listen="192.0.2.1:9650",
    )
    lines = fixed(before, replace(before, config=other))
    assert len(lines) == len(FIXED)
    assert any("metrics.listen needs a restart: it is not set, and now 192" in one for one in lines)
    for name in ("failover.md", "failover-settings.md"):
        text = (PROJECT / "docs" / name).read_text("utf-8")
        (line,) = (one for one in text.splitlines() if "need a restart" in one)
        assert all(f"`{setting}`" in line for setting in FIXED.values()), line
