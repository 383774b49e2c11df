"""One director's core, and what its host and a peer answer to it."""

from __future__ import annotations

from drctl.core.action import Action, SendBeat
from drctl.core.beat import Beat, GroupBeat
from drctl.core.event import BeatHeard, Event, FrameHeard, Outcome, Settled, Started, TimeCame
from drctl.core.node import Node
from drctl.core.role import Role
from drctl.core.value import Group, Interface, Link, Peer, Settings, Timing, Vip

VIP = "192.0.2.100"
MACS = {"lb1": "02:00:00:00:00:01", "lb2": "02:00:00:00:00:02", "lb3": "02:00:00:00:00:03"}


class Driven:
    """A core with a clock; what its actions are answered by is `replies`."""

    def __init__(self, settings: Settings, now_ms: int) -> None:
        self.node = Node(settings)
        self.now_ms = now_ms

    def replies(self, action: Action) -> list[Event]:
        """What comes back for it: DONE where that is wanted."""
        number = getattr(action, "number", None)
        return [] if number is None else [Settled(self.now_ms, number, Outcome.DONE)]

    def feed(self, event: Event) -> None:
        """One event, and what comes back for what follows from it."""
        waiting = [event]
        while waiting:
            for action in self.node.feed(waiting.pop(0)):
                waiting += self.replies(action)

    def run(self, span_ms: int) -> None:
        """Let time pass."""
        end_ms = self.now_ms + span_ms
        while self.node.deadline_ms <= end_ms:
            self.now_ms = self.node.deadline_ms
            self.feed(TimeCame(self.now_ms))
        self.now_ms = end_ms


class ActiveDirector(Driven):
    """lb2 is active; lb3 lives, and says of the group what `said` is; lb1 was never heard."""

    def __init__(self, *, has_fence: bool = True) -> None:
        timing = Timing(fence_ms=500 if has_fence else 0)
        group = Group("web", (Vip(VIP, 24, "eth0"),), ("eth0",))
        peers = tuple(Peer(name, (Link("a"),)) for name in ("lb1", "lb3"))
        card = Interface("eth0", (MACS["lb2"],))
        super().__init__(Settings("lb2", (group,), peers, (card,), timing), 1000)
        self.group = self.node.groups["web"]
        self.said = GroupBeat("web", Role.STANDBY, 0, 50, is_eligible=True)
        self.actions: list[Action] = []
        self._sequence = 0
        self.is_mute = False
        """lb3 answers no beats meanwhile."""
        macs = tuple((name, MACS[name]) for name in ("lb1", "lb3"))
        self.feed(Started(self.now_ms, 7, 0, peer_macs=macs))
        self.run(1000)
        assert self.group.role is Role.ACTIVE
        self.actions.clear()

    def replies(self, action: Action) -> list[Event]:
        """lb3 answers every beat."""
        self.actions.append(action)
        if isinstance(action, SendBeat) and action.peer == "lb3" and not self.is_mute:
            return [self._answer(action.beat)]
        return super().replies(action)

    def _answer(self, beat: Beat) -> Event:
        return self._beat("lb3", self.said, beat.boot, beat.sequence)

    def _beat(self, name: str, said: GroupBeat, boot: int, echo: int) -> Event:
        self._sequence += 1
        beat = Beat(name, 9, self._sequence, boot, echo, groups=(said,))
        return BeatHeard(self.now_ms, name, "a", beat)

    def hear_stale(self, name: str, said: GroupBeat) -> None:
        """A beat from an unknown past."""
        self.feed(self._beat(name, said, 0, 0))

    def hear_claim(self, name: str) -> None:
        """Somebody speaks for the VIP."""
        self.feed(FrameHeard(self.now_ms, "eth0", VIP, MACS[name], ""))

    def kinds(self) -> set[type]:
        return {type(action) for action in self.actions}


def settings(**timing: int) -> Settings:
    group = Group("web", (Vip("192.0.2.100", 24, "eth0"),), ("eth0",))
    peer = Peer("lb2", (Link("a"),))
    card = Interface("eth0", ("02:00:00:00:00:01",))
    return Settings("lb1", (group,), (peer,), (card,), Timing(**timing))


class Host:
    """Feeds a node, and answers every action that wants it with DONE."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.actions: list[Action] = []
        self.outcomes: dict[type, Outcome] = {}

    def feed(self, event: object) -> list[Action]:
        """One event; all actions that follow from it, until nothing more does."""
        waiting, done = [event], []
        while waiting:
            for action in self.node.feed(waiting.pop(0)):  # type: ignore[arg-type]
                done.append(action)
                number = getattr(action, "number", None)
                if number is not None:
                    outcome = self.outcomes.get(type(action), Outcome.DONE)
                    waiting.append(Settled(event.now_ms, number, outcome, "why"))  # type: ignore[attr-defined]
        self.actions += done
        return done

    def run(self, until_ms: int) -> None:
        """Let time pass."""
        while self.node.deadline_ms <= until_ms:
            self.feed(TimeCame(self.node.deadline_ms))
