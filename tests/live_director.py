"""A director in this namespace, as a JSON file describes it: the real controller, guard, kernel.

`python live_director.py SPEC.json`. SIGTERM stops it, SIGUSR1 asks for a switchover. It writes a
JSON object a line to its standard output; instants are CLOCK_MONOTONIC in milliseconds.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drctl.adapters.addresses import Addresses
from drctl.adapters.fence import Fence
from drctl.adapters.heartbeat import Heartbeat
from drctl.adapters.heartbeat_socket import HeartbeatLink
from drctl.adapters.keys import Keyring, SecretKey
from drctl.adapters.segment import Segment
from drctl.adapters.urgency import be_urgent, begin_urgent
from drctl.core.action import Alarm, Reply, Report
from drctl.core.event import Command, Event, OperatorAsked
from drctl.core.value import Group, Interface, Link, Peer, Settings, Timing, Vip
from drctl.daemon.arbiter import core_arbiter
from drctl.daemon.arbiter_watch import ArbiterWatch
from drctl.daemon.config import ArbiterConfig
from drctl.daemon.controller import Controller, Equipment
from drctl.daemon.executor import now_ms
from drctl.daemon.guard_client import Lock
from drctl.daemon.guard_keeper import GuardKeeper
from drctl.daemon.loop import OTHERS
from drctl.daemon.state import State
from drctl.errors import KernelRefused

PORT = 5390
COMMANDS = {signal.SIGTERM: Command.STOP, signal.SIGUSR1: Command.SWITCH}


def say(what: str, **fields: object) -> None:
    """One line of the journal."""
    print(json.dumps({"at": now_ms(), "what": what, **fields}), flush=True)


@dataclass
class Journal:
    """Writes down what the controller tells; ends the loop when it has stopped."""

    controller: Controller | None = None

    def changed(self, report: Report) -> None:
        say(
            "role",
            group=report.group,
            before=report.before.word,
            after=report.after.word,
            epoch=report.epoch,
            reason=report.reason,
        )

    def alarmed(self, alarm: Alarm) -> None:
        say("alarm", key=list(alarm.key), text=alarm.text, is_on=alarm.is_on)

    def replied(self, reply: Reply) -> None:
        say("reply", group=reply.group, is_done=reply.is_done, text=reply.text)

    def stopped(self) -> None:
        say("stopped")
        assert self.controller is not None
        self.controller.loop.stop()


def settings_of(spec: dict[str, Any], macs: dict[str, str]) -> Settings:
    """What the core is configured with."""
    return Settings(
        spec["node"],
        tuple(
            Group(
                group["name"],
                tuple(Vip(*vip) for vip in group["vips"]),
                tuple(group["interfaces"]),
                group["priority"],
                group["is_preempting"],
            )
            for group in spec["groups"]
        ),
        tuple(
            Peer(
                peer["node"],
                tuple(Link(name, interface) for name, interface, _, _ in peer["links"]),
                tuple((interface, address) for interface, address in peer["addresses"]),
            )
            for peer in spec["peers"]
        ),
        tuple(
            Interface(card["name"], (macs[card["name"]],), tuple(card["witnesses"]))
            for card in spec["interfaces"]
        ),
        Timing(**spec["timing"]),
        "live",
        core_arbiter(ArbiterConfig(**spec["arbiter"]), spec["timing"]["heartbeat_ms"]),
    )


def equipment_of(spec: dict[str, Any], timing: Timing, addresses: Addresses) -> Equipment:
    """The real adapters."""
    directory = Path(spec["directory"])
    fence = Fence(fence_ms=timing.fence_ms) if timing.has_fence else None
    links = [
        HeartbeatLink(peer["node"], name, local, remote, PORT)
        for peer in spec["peers"]
        for name, _, local, remote in peer["links"]
    ]
    accepted: dict[str, tuple[str, ...]] = {peer["node"]: (peer["key"],) for peer in spec["peers"]}
    segments = {
        card["name"]: Segment(card["name"], [tuple(own) for own in card["own"]], _unsent)
        for card in spec["interfaces"]
    }
    return Equipment(
        addresses,
        fence,
        Heartbeat(links, Keyring(SecretKey(*spec["keys"]), accepted)),
        segments,
        GuardKeeper(Lock.acquire(directory / "lock"), "drctl" if fence else ""),
        State.open(directory),
        Journal(),
    )


def _unsent(refused: KernelRefused) -> None:
    say("unsent", text=str(refused))


def fill(directory: Path) -> None:
    """Leave no byte free in the file system of the directory."""
    with (directory / "filler").open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(512))
        except OSError as cause:
            if cause.errno != errno.ENOSPC:
                raise


def watch_signals(controller: Controller) -> None:
    """Signals become events of the loop: a handler of its own could interrupt the core."""
    ours, python = socket.socketpair()
    for each in (ours, python):
        each.setblocking(False)
    signal.set_wakeup_fd(python.fileno())
    for number in COMMANDS:
        signal.signal(number, lambda *_: None)

    def read() -> Iterator[Event]:
        for number in ours.recv(64):
            if number in COMMANDS:
                yield OperatorAsked(now_ms(), COMMANDS[signal.Signals(number)])

    controller.loop.watch(ours.fileno(), OTHERS, read)
    # the pair must not be collected while the loop runs
    controller.__dict__["_signal_pair"] = (ours, python)


def watch_guard(controller: Controller, guard: GuardKeeper) -> None:
    """Write down each guard's process."""
    say("guard", pid=guard.pid)
    before, look = [guard.pid], controller.loop.after_turn

    def after_turn() -> None:
        if guard.pid != before[0]:
            before[0] = guard.pid
            say("guard", pid=guard.pid)
        look()

    controller.loop.after_turn = after_turn


def main(path: str) -> None:
    """Run until it is told to stop."""
    spec = json.loads(Path(path).read_text(encoding="utf-8"))
    directory = Path(spec["directory"])
    if spec["is_disk_full"]:
        # this process has its mounts to itself: `ip netns exec` sees to it
        options = "size=64k,mode=0700"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", directory], check=True)
    addresses = Addresses()
    settings = settings_of(spec, {link.interface: link.mac for link in addresses.links()})
    begin_urgent()
    equipment = equipment_of(spec, settings.timing, addresses)
    if spec["is_disk_full"]:
        fill(directory)
    controller = Controller(settings, equipment)
    assert isinstance(equipment.listener, Journal)
    equipment.listener.controller = controller
    watch_signals(controller)
    say("started", pid=os.getpid(), refused=be_urgent())
    gc.freeze()
    watch_guard(controller, equipment.guard)
    config = ArbiterConfig(**spec["arbiter"])
    arbiter = ArbiterWatch(config, controller, has_fence=equipment.fence is not None)
    controller.on_turn = arbiter.tick
    controller.run()
    arbiter.end()
    controller.close()


if __name__ == "__main__":
    main(sys.argv[1])
