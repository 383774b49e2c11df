"""What hooks are told when the daemon starts: once, when it is known, in keepalived's order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from drctl.core.action import Report
from drctl.core.event import Event, Outcome, Settled, Started, TimeCame, TrackReported
from drctl.core.node import Node
from drctl.core.role import Role
from drctl.core.value import Group, Interface, Link, Peer, Settings, Track, Vip
from drctl.daemon.control import ControlServer
from drctl.daemon.desk import Desk
from drctl.daemon.executor import now_ms
from drctl.daemon.hook_client import Hooks
from drctl.daemon.hook_value import HookSettings, Notify, Program
from drctl.daemon.recorder_client import Recorder
from drctl.daemon.state import State


@dataclass
class Stage:
    """A desk with its node. Hooks write the states to `log`."""

    desk: Desk
    hooks: Hooks
    log: Path
    recorder: Recorder

    def feed(self, event: Event) -> None:
        """One event, and what follows from it."""
        assert self.desk.node is not None
        events = [event]
        while events:
            for action in self.desk.node.feed(events.pop(0)):
                number = getattr(action, "number", None)
                if number is not None:
                    events.append(Settled(event.now_ms, number, Outcome.DONE))
                elif isinstance(action, Report):
                    self.desk.changed(action)

    def states(self) -> list[str]:
        """All that hooks were told, at the end."""
        self.hooks.end()
        return self.log.read_text().split() if self.log.exists() else []


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Stage]:
    log = tmp_path / "log"
    program = Program(("/bin/sh", "-c", f"echo $3 >> {log}", "script"))
    settings = HookSettings((Notify("web", "INSTANCE", "web", (("notify", program),)),))
    server = ControlServer(tmp_path / "control")
    recorder = Recorder.spawn(tmp_path / "history", now_ms())
    hooks = Hooks.spawn(settings, now_ms())
    state = State.open(tmp_path)
    desk = Desk(server, recorder, hooks, state)
    track = Track("script:a", wait_ms=60_000)
    group = Group("web", (Vip("192.0.2.100", 24, "eth0"),), ("eth0",), tracks=(track,))
    cards = (Interface("eth0", ("02:00:00:00:00:01",)),)
    desk.node = Node(Settings("lb1", (group,), (Peer("lb2", (Link("a"),)),), cards))
    desk.started()
    yield Stage(desk, hooks, log, recorder)
    recorder.end()
    state.close()
    server.close()


def run(stage: Stage, since_ms: int, for_ms: int) -> None:
    node = stage.desk.node
    assert node is not None
    while node.deadline_ms <= since_ms + for_ms:
        stage.feed(TimeCame(node.deadline_ms))


def test_group_that_waits_for_a_script_is_not_told_yet(made: Stage) -> None:
    made.feed(Started(now_ms(), 7, 0))
    made.desk.tick()
    assert made.states() == []


def test_first_state_is_told_once(made: Stage) -> None:
    long_ago_ms = now_ms() - 1000
    made.feed(Started(long_ago_ms, 7, 0))
    assert made.desk.node is not None
    made.desk.node.groups["web"].is_held = True
    made.feed(TrackReported(long_ago_ms + 1, "script:a", is_up=True))
    made.desk.tick()
    made.desk.tick()
    assert made.states() == ["BACKUP"]


def test_script_that_fails_at_the_start_is_a_fault_and_nothing_before(made: Stage) -> None:
    at_ms = now_ms()
    made.feed(Started(at_ms, 7, 0))
    made.feed(TrackReported(at_ms + 1, "script:a", is_up=False))
    made.desk.tick()
    assert made.desk.node is not None
    assert made.desk.node.groups["web"].role is Role.FAULT
    assert made.states() == ["FAULT"]


def test_active_director_was_a_backup_first(made: Stage) -> None:
    at_ms = now_ms()
    made.feed(Started(at_ms, 7, 0))
    made.feed(TrackReported(at_ms + 1, "script:a", is_up=True))
    run(made, at_ms, 2000)
    assert made.states() == ["BACKUP", "MASTER"]
