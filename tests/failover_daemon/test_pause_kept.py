"""A pause is answered when it is on the disk, and the answer says so when it is not."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from drctl.core.action import Reply
from drctl.core.event import Command, OperatorAsked, Started
from drctl.core.node import Node
from drctl.core.value import Group, Interface, Link, Peer, Settings, Vip
from drctl.daemon.control import Request
from drctl.daemon.desk import Desk
from drctl.daemon.executor import now_ms
from drctl.daemon.hook_client import Hooks
from drctl.daemon.hook_value import HookSettings
from drctl.daemon.later import Done, Later, Work
from drctl.daemon.recorder_client import Recorder
from drctl.daemon.state import State


class Answers:
    """A control socket with one client, who pauses everything."""

    def __init__(self) -> None:
        self.given: list[dict[str, Any]] = []

    def requests(self) -> list[Request]:
        return [Request(1, "pause")]

    def answer(self, _client: int, answer: dict[str, Any]) -> None:
        self.given.append(answer)


class Office:
    """A desk whose disk takes its time."""

    def __init__(self, folder: Path) -> None:
        self.server = Answers()
        self.state = State.open(folder / "state")
        recorder, hooks = Recorder(folder / "history"), Hooks(HookSettings())
        self.desk = Desk(self.server, recorder, hooks, self.state)  # type: ignore[arg-type]
        self.waiting: list[tuple[Work, Done]] = []
        self.desk.on_disk = lambda work, done: self.waiting.append((work, done))
        group = Group("web", (Vip("192.0.2.100", 24, "eth0"),), ("eth0",))
        card = Interface("eth0", ("02:00:00:00:00:01",))
        peer = Peer("lb2", (Link("a"),))
        self.node = self.desk.node = Node(Settings("lb1", (group,), (peer,), (card,)))
        self.node.feed(Started(now_ms(), 7))

    def pause(self) -> None:
        for event in self.desk.requests():
            assert isinstance(event, OperatorAsked)
            assert event.command is Command.PAUSE
            for action in self.node.feed(event):
                if isinstance(action, Reply):
                    self.desk.replied(action)

    def let_disk_work(self) -> None:
        later = Later()
        for work, done in self.waiting:
            later.do(work, done)
        later.close()


def test_pause_is_answered_when_it_is_written(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.pause()
    assert office.server.given == []
    office.let_disk_work()
    (answer,) = office.server.given
    assert (answer["ok"], answer["results"][0]["text"]) == (True, "paused")
    assert State.open(tmp_path / "state").paused == {"web"}


def test_pause_that_cannot_be_written_is_answered_as_not_done(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.pause()
    shutil.rmtree(tmp_path / "state")
    office.let_disk_work()
    (answer,) = office.server.given
    assert not answer["ok"]
    assert "paused, but a restart forgets it: cannot write" in answer["results"][0]["text"]
    # it is paused all the same, and status says what is wrong
    assert office.node.groups["web"].is_held
    alarms = office.desk.status()["alarms"]
    assert isinstance(alarms, list)
    assert any("a restart will forget" in text for text in alarms)
