"""Heartbeats of a peer that cannot be read: told, unless it is heard all the same."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from drctl.core.node import Node
from drctl.core.value import Group, Interface, Link, Peer, Settings, Vip
from drctl.core.wire import OtherVersion, WireError
from drctl.daemon.control import ControlServer
from drctl.daemon.desk import Desk
from drctl.daemon.executor import now_ms
from drctl.daemon.hook_client import Hooks
from drctl.daemon.hook_value import HookSettings
from drctl.daemon.recorder_client import Recorder
from drctl.daemon.state import State

OTHER = OtherVersion("heartbeat of version 4, this is 2")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    server = ControlServer(tmp_path / "control")
    recorder = Recorder.spawn(tmp_path / "history", now_ms())
    hooks = Hooks.spawn(HookSettings(), now_ms())
    state = State.open(tmp_path)
    made = Desk(server, recorder, hooks, state)
    group = Group("web", (Vip("192.0.2.100", 24, "eth0"),), ("eth0",))
    cards = (Interface("eth0", ("02:00:00:00:00:01",)),)
    made.node = Node(Settings("lb1", (group,), (Peer("lb2", (Link("a"),)),), cards))
    yield made
    hooks.end()
    recorder.end()
    state.close()
    server.close()


def _alarms(desk: Desk) -> list[str]:
    alarms = desk.status()["alarms"]
    assert isinstance(alarms, list)
    return alarms


def test_version_that_is_too_far_is_an_alarm_and_one_line_of_the_log(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    for _ in range(50):
        desk.unread("lb2", OTHER)
    text = (
        "heartbeats of lb2 cannot be read: heartbeat of version 4, this is 2; "
        "directors may be one version of drctl apart"
    )
    assert _alarms(desk) == [text]
    assert [record.getMessage() for record in caplog.records] == [
        f"beat_refused peer=lb2 text={text!r}"
    ]
    desk.unread("lb2", WireError("no UTF-8 before byte 40"))
    assert _alarms(desk) == ["heartbeats of lb2 cannot be read: no UTF-8 before byte 40"]
    # two versions of each beat come, and say it in turn
    assert len(caplog.records) == 1


def test_peer_that_is_heard_sends_the_version_before_too(desk: Desk) -> None:
    assert desk.node is not None
    desk.node.around.peers["lb2"].fresh_until_ms = now_ms() + 60_000
    desk.unread("lb2", OTHER)
    assert _alarms(desk) == []


def test_who_is_no_peer_any_more_is_not_told_of(desk: Desk) -> None:
    desk.unread("lb9", OTHER)
    assert _alarms(desk) == []
