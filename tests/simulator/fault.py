"""Everything that can go wrong, by name: what it does to a world, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simulator.world import BACK_WITHIN_US, World

HOLDER, ALWAYS, NEVER = "when it hits the holder", "always", "never"

Action = Callable[[World, str, str], None]


@dataclass(frozen=True, slots=True)
class Kind:
    """`begin` and `end` get the world, a director's name and a segment's. `moves`: whether it is a
    reason to move VIPs. `excuses`: after its end two may answer for as long as one heartbeat and
    one probe take, which is what the protocol promises."""

    begin: Action
    end: Action | None = None
    moves: str = HOLDER
    excuses: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a schedule. `for_ms` 0: it does not end by itself."""

    at_ms: float
    kind: str
    node: str = ""
    segment: str = ""
    for_ms: int = 0

    def __str__(self) -> str:
        words = [f"at {self.at_ms:g}", self.kind, self.node, self.segment]
        words += [f"for {self.for_ms}"] if self.for_ms else []
        return " ".join(word for word in words if word)


def parse(line: str) -> Fault:
    """The inverse of `str(fault)`; a segment is told from a director by its name."""
    words = line.split()
    at_ms, kind = float(words[1]), words[2]
    for_ms = int(words[words.index("for") + 1]) if "for" in words else 0
    names = [word for word in words[3:] if word != "for" and not word.isdigit()]
    node = next((name for name in names if name.startswith("lb")), "")
    segment = next((name for name in names if not name.startswith("lb")), "")
    return Fault(at_ms, kind, node, segment, for_ms)


def heal_excuse_us(world: World) -> int:
    timing = world.timing
    return (timing.heartbeat_ms + timing.confirm_ms + 10) * 1000 + 4 * world.slowest_us


def thaw_excuse_us(world: World) -> int:
    """Its clocks stood still, so that only a beat can tell it: when the connection is back."""
    return heal_excuse_us(world) + BACK_WITHIN_US


def begin(world: World, fault: Fault) -> None:
    kind = KINDS[fault.kind]
    world.say(f"*** {fault.kind} {fault.node} {fault.segment}".rstrip())
    if kind.moves is ALWAYS or (kind.moves is HOLDER and world.holds(fault.node)):
        world.is_moving = True
    kind.begin(world, fault.node, fault.segment)
    world.judge.look()
    if fault.for_ms and kind.end is not None:
        world.after(fault.for_ms * 1000, end, world, fault)


def end(world: World, fault: Fault) -> None:
    kind = KINDS[fault.kind]
    assert kind.end is not None
    world.say(f"*** end of {fault.kind} {fault.node} {fault.segment}".rstrip())
    if kind.excuses and not (fault.kind == "split" and world.topology.arbiter):
        excuse_us = thaw_excuse_us if fault.kind == "freeze" else heal_excuse_us
        world.judge.excuse(fault.kind, excuse_us(world))
    kind.end(world, fault.node, fault.segment)
    world.heal_pipes()
    world.judge.look()


def _port(**changes: Any) -> Action:
    def change(world: World, node: str, segment: str) -> None:
        for name, value in changes.items():
            setattr(world.segments[segment].ports[node], name, value)

    return change


def _carrier(*, is_up: bool) -> Action:
    def change(world: World, node: str, segment: str) -> None:
        world.segments[segment].ports[node].has_carrier = is_up
        event = world.core.event.CarrierChanged(0, segment, is_up)
        world.directors[node].put(event)

    return change


def _split(world: World, node: str, segment: str) -> None:
    """The director is on one side, with every second witness."""
    ports = world.segments[segment].ports
    is_cut = any(port.side for port in ports.values())
    if ports[node].side == 0 and is_cut and not world.topology.arbiter:
        world.judge.excuse("split", heal_excuse_us(world))
    ports[node].side = 1
    for number, witness in enumerate(world.witnesses[segment].values()):
        witness.port.side = number % 2


def _join(world: World, _node: str, segment: str) -> None:
    for port in world.segments[segment].ports.values():
        port.side = 0


def _link(*, is_cut: bool, both: bool) -> Action:
    def change(world: World, node: str, segment: str) -> None:
        for pipe in world.pipes.values():
            if segment in {"", pipe.link} and (
                pipe.sender == node or (both and pipe.receiver == node)
            ):
                pipe.is_cut = is_cut

    return change


def _loss(share: float) -> Action:
    def change(world: World, _node: str, segment: str) -> None:
        world.segments[segment].loss = share

    return change


def _slow(low_us: int, high_us: int) -> Action:
    def change(world: World, _node: str, _segment: str) -> None:
        world.link_delay_us = (low_us, high_us)
        world.slowest_us = max(world.slowest_us, world.longest_us)

    return change


def _director(method: str, **arguments: Any) -> Action:
    def change(world: World, node: str, _segment: str) -> None:
        getattr(world.directors[node], method)(**arguments)

    return change


def _flush(world: World, node: str, _segment: str) -> None:
    director = world.directors[node]
    if director.kernel.table is None:
        return
    director.kernel.flush()
    delay_us = world.random.randint(200, 2000)
    # who is silent behind the fence is not, until it is put back
    world.judge.excused_until_us["flush"] = world.now_us + delay_us + 2000
    world.changed(f"{node}: somebody flushed the table")
    world.after(delay_us, lambda: director.put(world.core.event.FenceVanished(0)))


def _remove_address(world: World, node: str, _segment: str) -> None:
    director = world.directors[node]
    for vip in world.vips:
        if director.kernel.has(vip, director.clock_us()):
            director.kernel.delete(vip)
            director.robbed.add(vip)
            director.put(world.core.event.AddressVanished(0, vip))
            return


def _command(word: str) -> Action:
    def change(world: World, node: str, _segment: str) -> None:
        director = world.directors[node]
        event = world.core.event
        director.put(event.OperatorAsked(0, event.Command[word]))

    return change


def _report(name: str, *, is_up: bool) -> Action:
    def change(world: World, node: str, _segment: str) -> None:
        director = world.directors[node]
        if name == "service":
            director.failures[name] = is_up
        director.put(world.core.event.TrackReported(0, name, is_up))

    return change


def _attribute(name: str, *, value: bool) -> Action:
    def change(world: World, node: str, _segment: str) -> None:
        setattr(world.directors[node], name, value)

    return change


def _witnesses(name: str, *, value: bool) -> Action:
    def change(world: World, _node: str, segment: str) -> None:
        for witness in list(world.witnesses[segment].values())[:1]:
            setattr(witness, name, value)

    return change


def _reload(what: str = "") -> Action:
    """One director is told of another configuration."""

    def change(world: World, node: str, _segment: str) -> None:
        if world.has_latest(node):
            world.reconfigure(what)
        world.directors[node].reload()

    return change


def _reload_all(world: World, _node: str, _segment: str) -> None:
    """The others are told too."""
    for director in world.directors.values():
        if not world.has_latest(director.name):
            director.reload()


KINDS: dict[str, Kind] = {
    "cut": Kind(_port(hears=False, speaks=False), _port(hears=True, speaks=True), excuses=True),
    "deafen": Kind(_port(hears=False), _port(hears=True), excuses=True),
    "mute": Kind(_port(speaks=False), _port(speaks=True), excuses=True),
    "carrier": Kind(_carrier(is_up=False), _carrier(is_up=True), excuses=True),
    "split": Kind(_split, _join, moves=ALWAYS, excuses=True),
    "links": Kind(_link(is_cut=True, both=True), _link(is_cut=False, both=True), moves=NEVER),
    "link": Kind(_link(is_cut=True, both=True), _link(is_cut=False, both=True), moves=NEVER),
    "one-way": Kind(_link(is_cut=True, both=False), _link(is_cut=False, both=True), moves=NEVER),
    "loss": Kind(_loss(0.05), _loss(0.0), moves=NEVER),
    "slow": Kind(_slow(5_000, 60_000), _slow(100, 800), moves=NEVER),
    "kill": Kind(_director("kill"), _director("start")),
    "kill-both": Kind(_director("kill", with_guard=True), _director("start")),
    "kill-guard": Kind(_director("kill_guard"), moves=NEVER),
    "pause": Kind(_director("pause"), _director("resume")),
    "freeze": Kind(_director("freeze"), _director("thaw"), excuses=True),
    "flush": Kind(_flush, moves=NEVER),
    "remove-address": Kind(_remove_address),
    "reload": Kind(_reload(), _reload_all, moves=NEVER),
    "move-vip": Kind(_reload("move"), _reload_all, moves=NEVER),
    "rename": Kind(_reload("rename"), _reload_all, moves=NEVER),
    "retime": Kind(_reload("timing"), _reload_all, moves=NEVER),
    "switch": Kind(_command("SWITCH"), moves=ALWAYS),
    "hold": Kind(_command("PAUSE"), _command("RESUME")),
    "stop": Kind(_command("STOP"), _director("start")),
    "service": Kind(_report("service", is_up=False), _report("service", is_up=True)),
    "weight": Kind(_report("weight", is_up=False), _report("weight", is_up=True)),
    "drop-fails": Kind(_attribute("drop_fails", value=True), _attribute("drop_fails", value=False)),
    "disk-full": Kind(
        _attribute("disk_is_full", value=True),
        _attribute("disk_is_full", value=False),
        moves=NEVER,
    ),
    "leak": Kind(_witnesses("leaks", value=True), _witnesses("leaks", value=False), moves=NEVER),
    "witness-dies": Kind(
        _witnesses("is_alive", value=False), _witnesses("is_alive", value=True), moves=ALWAYS
    ),
}
