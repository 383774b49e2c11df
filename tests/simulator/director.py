"""One director host: kernel, guard, and the controller that runs the core."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from simulator.kernel import Kernel

if TYPE_CHECKING:
    from simulator.world import World

LAYOUT_FAILS = 0.05
"""The part of new layouts that the kernel refuses."""


@dataclass(slots=True)
class Guard:
    """Closes the fence and deletes the addresses when the controller dies."""

    is_alive: bool = True
    is_busy: bool = False
    addresses: set[str] = field(default_factory=set)


class Director:
    """The shell of DESIGN's contract, in virtual time: actions in order, then their outcomes, then
    the next event; frames before everything else that waits."""

    def __init__(self, world: World, name: str, settings: Any, drift: float) -> None:
        self.world = world
        self.name = name
        self.settings = settings
        """What a start reads; the running controller may not have been told of it yet."""
        self.timing = settings.timing
        self.laid: dict[str, Any] = {}
        self.drift = drift
        self.newest_version = settings.newest_version
        self.kernel = Kernel(group_of={v: g.name for g in settings.groups for v in g.addresses})
        self.guard = Guard()
        self.node: Any = None
        self.boot = 0
        self.run = 0
        self.is_paused = False
        self.is_frozen = False
        self.is_running = False
        """There is a controller, and it is neither stopped nor frozen."""
        self.has_left = False
        self.frozen_us = 0
        self.frozen_at_us = 0
        self.reserved = 0
        self.disk_is_full = False
        self.drop_fails = False
        self.robbed: set[str] = set()
        self.held: frozenset[str] = frozenset()
        self.failures: dict[str, bool] = {}
        self.frames: deque[Any] = deque()
        self.inbox: deque[Any] = deque()
        self.todo: deque[Any] = deque()
        self.outcomes: deque[Any] = deque()
        self.is_executing = False
        self.timer_at_ms = -1
        self.yielded_at_us = -(1 << 60)
        self.started_at_us = -(1 << 60)
        self.resumed_at_us = -(1 << 60)
        self.paused_at_us = -(1 << 60)
        self.missed_at_us = -(1 << 60)
        """An announcement did not reach it."""
        self.is_found_bare = False
        """When its controller started, somebody had taken the fence away."""

    # clocks

    def clock_us(self) -> int:
        """The host's monotonic clock; it drifts, and stands still while the host is frozen."""
        now_us = self.frozen_at_us if self.is_frozen else self.world.now_us
        return int((now_us - self.frozen_us) * self.drift)

    def now_ms(self) -> int:
        # asked for each event: the clock is not called, but read here too
        now_us = self.frozen_at_us if self.is_frozen else self.world.now_us
        return int((now_us - self.frozen_us) * self.drift) // 1000

    def _judge_running(self) -> None:
        self.is_running = self.node is not None and not self.is_paused and not self.is_frozen

    # life and death

    def start(self) -> None:
        """Start a controller, as its supervisor would: the guard's work is awaited first."""
        if self.node is not None:
            return
        if self.guard.is_busy:
            self.world.after(5000, self.start)
            return
        core = self.world.core
        self.has_left = False
        self.run += 1
        self.started_at_us = self.world.now_us
        self.is_found_bare = bool(self.kernel.flushed) and self.kernel.table is None
        self.boot = self.world.random.getrandbits(48) + 1
        if not self.guard.is_alive:
            self.guard = Guard()
        version = self.world.next_version(self.newest_version)
        self.settings = replace(self.settings, newest_version=version)
        self.node = core.node.Node(self.settings)
        self._judge_running()
        self.timing = self.settings.timing
        former = {vip for group in self.laid.values() for vip in group.addresses}
        self.laid = {group.name: group for group in self.settings.groups}
        for vip in former - {vip for group in self.settings.groups for vip in group.addresses}:
            if self.kernel.has(vip, self.clock_us()):
                self.kernel.delete(vip)
        present = frozenset(v for v in self.world.vips if self.kernel.has(v, self.clock_us()))
        answering = frozenset(v for v in present if self.kernel.answers(v, self.clock_us()))
        epoch = self.reserved
        self.world.connect(self.name)
        self.put(
            core.event.Started(
                self.now_ms(),
                self.boot,
                epoch,
                present,
                answering,
                held=self.held,
                **self.world.memory(self),
            )
        )
        self.world.referee.started(self)
        for name, is_up in self.failures.items():
            self.put(core.event.TrackReported(self.now_ms(), name, is_up))
        for interface, port in self.world.ports_of(self.name).items():
            if not port.has_carrier:
                self.put(core.event.CarrierChanged(self.now_ms(), interface, is_up=False))

    def kill(self, *, with_guard: bool = False) -> None:
        """SIGKILL, to the guard too when wanted; else the guard acts."""
        if with_guard:
            self.guard.is_alive = False
        if self.node is None:
            return
        self._end()
        if self.guard.is_alive:
            self.guard.is_busy = True
            self.world.after(self.world.random.randint(3000, 28000), self._guard_acts)

    def _end(self) -> None:
        self.node = None
        self.is_paused = False
        self._judge_running()
        self.is_executing = False
        for queue in (self.frames, self.inbox, self.todo, self.outcomes):
            queue.clear()
        self.timer_at_ms = -1
        self.world.disconnect(self.name)

    def _guard_acts(self) -> None:
        if not self.guard.is_busy:
            return
        if self.is_frozen:
            self.world.after(1000, self._guard_acts)
            return
        self.guard.is_busy = False
        self.guard.is_alive = False
        self.kernel.close_all()
        for address in self.guard.addresses:
            self.kernel.delete(address)
        self.world.changed(f"{self.name}: guard lets go")

    def kill_guard(self) -> None:
        if self.guard.is_busy:
            return
        self.guard = Guard(is_alive=False)
        if self.node is not None:
            self.put(self.world.core.event.GuardLost(self.now_ms()))

    def pause(self) -> None:
        self.is_paused = True
        self.paused_at_us = self.world.now_us
        self._judge_running()

    def resume(self) -> None:
        self.is_paused = False
        self._judge_running()
        self.resumed_at_us = self.world.now_us
        self.go_on()

    def freeze(self) -> None:
        if not self.is_frozen:
            self.frozen_at_us = self.world.now_us
            self.is_frozen = True
            self._judge_running()

    def thaw(self) -> None:
        if self.is_frozen:
            self.is_frozen = False
            self._judge_running()
            self.frozen_us += self.world.now_us - self.frozen_at_us
            self.timer_at_ms = -1
            self.go_on()

    # events

    def put(self, event: Any) -> None:
        """An event arrives; `now_ms` is set when it is taken out."""
        if self.node is None:
            return
        self.inbox.append(event)
        self.go_on()

    def hear(
        self, interface: str, sender: str, mac: str, target: str, *, is_to_me: bool = False
    ) -> None:
        """A frame of ARP arrives."""
        if self.node is None:
            return
        frame = self.world.core.event.FrameHeard
        event = frame(self.now_ms(), interface, sender, mac, target, is_to_me)
        if self.is_executing or not self.is_running:
            self.frames.append(event)
            return
        # nothing waits: all was taken in when the last action was done
        actions = self.node.feed(event)
        if actions:
            self._carry_out(actions)
            self.go_on()
        elif self.node.deadline_ms != self.timer_at_ms:
            self._arm()

    def go_on(self) -> None:
        """Take in what waits, as long as nothing is being carried out."""
        while self.is_running and not self.is_executing:
            if self.outcomes:
                event = self.outcomes.popleft()
            elif self.frames:
                event = self.frames.popleft()
            elif self.inbox:
                event = self.inbox.popleft()
            else:
                break
            self._feed(event)
        if self.is_running and not self.is_executing and self.node.deadline_ms != self.timer_at_ms:
            self._arm()

    def _feed(self, event: Any) -> None:
        object.__setattr__(event, "now_ms", self.now_ms())
        actions = self.node.feed(event)
        if actions:
            self._carry_out(actions)

    def _carry_out(self, actions: Any) -> None:
        self.todo.extend(actions)
        self.is_executing = True
        self._execute()

    def _arm(self) -> None:
        at_ms = self.timer_at_ms = self.node.deadline_ms
        delay_us = max(0, int(at_ms * 1000 / self.drift) + 1 - (self.world.now_us - self.frozen_us))
        jitter_us = int(20 + 380 * self.world.random.random())
        self.world.after(delay_us + jitter_us, self._timer, self.run, at_ms)

    def _timer(self, run: int, at_ms: int) -> None:
        if run != self.run or self.node is None or at_ms != self.timer_at_ms:
            return
        self.timer_at_ms = -1
        if self.is_running and not self.is_executing:
            self._feed(self.world.core.event.TimeCame(self.now_ms()))
            self.go_on()

    # actions

    def _execute(self) -> None:
        """Carry out what is to be done; what touches the kernel takes its time."""
        while self.todo:
            if not self.is_running:
                self.world.after(500, self._execute_later, self.run)
                return
            action = self.todo.popleft()
            cost_us = self.HANDLERS[type(action).__name__](self, action)
            if cost_us:
                self.world.after(cost_us, self._execute_later, self.run)
                return
        self.is_executing = False

    def _execute_later(self, run: int) -> None:
        if run != self.run or self.node is None or not self.is_executing:
            return
        self._execute()
        self.go_on()

    def _settle(self, action: Any, outcome: str, why: str = "") -> None:
        core = self.world.core
        self.outcomes.append(
            core.event.Settled(self.now_ms(), action.number, core.event.Outcome[outcome], why)
        )

    def _is_late(self, action: Any) -> bool:
        if self.now_ms() < action.before_ms:
            return False
        self._settle(action, "LATE")
        return True

    def _group(self, action: Any) -> Any:
        return self.laid[action.group]

    def _is_unknown(self, action: Any) -> bool:
        """The lease ended while another layout was made: there is nothing left under that name."""
        if action.group in self.laid:
            return False
        self._settle(action, "DONE")
        return True

    def _vips(self, action: Any) -> list[Any]:
        vips = self._group(action).vips
        return [vip for vip in vips if not action.only or vip.address in action.only]

    def _send_beat(self, action: Any) -> int:
        """Of a beat in two versions the receiver takes the newer one that it understands."""
        understood = self.world.directors[action.peer].settings.newest_version
        wire = self.world.core.wire
        for version in action.versions:
            if version <= understood:
                beat = action.beat
                if version != wire.NEWEST_VERSION:
                    beat = wire.decode(wire.encode(beat, version))
                self.world.send_beat(self.name, action.peer, beat)
                break
        return 0

    def _probe(self, action: Any) -> int:
        self.world.probe(self.name, action.interface, action.addresses)
        return 0

    def _ask(self, action: Any) -> int:
        self.world.ask(self.name, action.interface, action.addresses)
        return 0

    def _cost_us(self, count: int = 1) -> int:
        return int(30 + 270 * self.world.random.random()) + 15 * count

    def _prepare_fence(self, action: Any) -> int:
        is_open = action.is_open or action.is_shut
        until_us = self.clock_us() + self.timing.fence_ms * 1000 if is_open else 0
        group, now_us = self._group(action), self.clock_us()
        self.kernel.prepare(group, now_us, until_us, is_shut=action.is_shut)
        self.world.changed(f"{self.name}: fence prepared for {action.group}")
        self._settle(action, "DONE")
        return self._cost_us()

    def _tell_guard(self, action: Any) -> int:
        if self.guard.is_alive:
            self.guard.addresses |= self._group(action).addresses
        self._settle(action, "DONE")
        return self._cost_us()

    def _lay_out(self, action: Any) -> int:
        """All or nothing: now and then the kernel refuses."""
        if self._is_late(action):
            return self._cost_us()
        if self.world.operator.random.random() < LAYOUT_FAILS:
            self.world.refusals += 1
            self._settle(action, "FAILED", "no buffer space available")
            return self._cost_us()
        if action.settings is not None:
            self.timing = action.settings.timing
        self.laid = {place.group.name: place.group for place in action.places}
        if self.guard.is_alive:
            guarded = [place.group.addresses for place in action.places if place.is_guarded]
            self.guard.addresses = set().union(*guarded)
        self.kernel.lay_out(action.places, self.clock_us(), self.timing.fence_ms * 1000)
        self.world.changed(f"{self.name}: VIPs laid out anew")
        self._settle(action, "DONE")
        return self._cost_us(sum(len(group.vips) for group in self.laid.values()))

    def _end_reload(self, action: Any) -> int:
        word = "reloaded" if action.is_done else f"not reloaded: {action.text}"
        self.world.say(f"{self.name}: {word}")
        if not action.is_done:
            self.world.after(200_000, self.reload)
        return 0

    def reload(self) -> None:
        """Tell the controller of the settings that a start would read."""
        if self.node is None:
            return
        present = (v for v in self.world.vips if self.kernel.has(v, self.clock_us()))
        settings = replace(self.settings, newest_version=self.node.settings.newest_version)
        self.put(self.world.core.event.Reconfigured(0, settings, frozenset(present)))

    def _start_guard(self, action: Any) -> int:
        self.guard = Guard()
        for group in self.node.groups.values():
            if group.role.is_holding or group.may_answer:
                self.guard.addresses |= group.config.addresses
        for name, group in self.laid.items():
            if name not in self.node.groups:
                self.guard.addresses |= group.addresses
        self._settle(action, "DONE")
        return self._cost_us() + 20_000

    def _take_vips(self, action: Any) -> int:
        if self._is_late(action):
            return self._cost_us()
        vips = self._vips(action)
        self.robbed.clear()
        end_us = self.clock_us() + self.timing.lease_ms * 1000
        for vip in vips:
            self.kernel.add(vip.address, end_us)
            self.world.judge.installed(self.name, vip.address)
        self.world.changed(f"{self.name}: VIPs of {action.group} installed")
        self._settle(action, "DONE")
        return self._cost_us(len(vips))

    def _renew_vips(self, action: Any) -> int:
        end_us = self.clock_us() + self.timing.lease_ms * 1000
        for vip in self._group(action).vips[action.first : action.end]:
            self.kernel.add(vip.address, end_us)
        self.world.changed("")
        self._settle(action, "DONE")
        return self._cost_us(action.end - action.first)

    def _drop_vips(self, action: Any) -> int:
        if self._is_unknown(action):
            return self._cost_us()
        if self.drop_fails:
            self._settle(action, "FAILED", "device busy")
            return self._cost_us()
        for vip in self._vips(action):
            self.kernel.delete(vip.address)
        self.world.changed(f"{self.name}: VIPs of {action.group} dropped")
        self._settle(action, "DONE")
        return self._cost_us(len(self._group(action).vips))

    def _open_fence(self, action: Any) -> int:
        if self._is_late(action):
            return self._cost_us()
        until_us = self.clock_us() + self.timing.fence_ms * 1000
        is_done = self.kernel.open(action.group, until_us)
        self.world.changed(f"{self.name}: fence open for {action.group}")
        self._settle(action, "DONE" if is_done else "FAILED", "" if is_done else "no such table")
        return self._cost_us()

    def _renew_fence(self, action: Any) -> int:
        until_us = self.clock_us() + self.timing.fence_ms * 1000
        if self.kernel.table is None:
            self._settle(action, "FAILED", "no such table")
        else:
            is_done = self.kernel.renew(action.group, self.clock_us(), until_us)
            self._settle(action, "DONE" if is_done else "LAPSED")
        return self._cost_us()

    def _shut_arp(self, action: Any) -> int:
        is_done = self.kernel.shut(action.group)
        self.world.changed(f"{self.name}: silent in ARP for {action.group}")
        self._settle(action, "DONE" if is_done else "FAILED", "" if is_done else "no such table")
        return self._cost_us()

    def _close_fence(self, action: Any) -> int:
        if self._is_unknown(action):
            return self._cost_us()
        self.kernel.close(action.group)
        self.world.changed(f"{self.name}: fence closed for {action.group}")
        self._settle(action, "DONE")
        return self._cost_us()

    def _announce(self, action: Any) -> int:
        if self.now_ms() >= action.before_ms:
            return 0
        for vip in self._vips(action):
            self.world.judge.announced(self.name, vip.address)
            self.world.announce(self.name, vip.interface, vip.address)
        return 0

    def _reserve_epochs(self, action: Any) -> int:
        if self.disk_is_full:
            self._settle(action, "FAILED", "no space left on device")
        else:
            self.reserved = action.below
            self._settle(action, "DONE")
        return self._cost_us() + 3000

    def _ask_arbiter(self, action: Any) -> int:
        self.world.referee.asked(self, action.addresses, action.holder)
        return 0

    def _report(self, action: Any) -> int:
        text = f"{self.name}: {action.group} {action.before.word} -> {action.after.word}"
        self.world.say(f"{text}, epoch {action.epoch}: {action.reason}")
        self.world.judge.changes.append((action.before.word, action.after.word))
        if action.after.name == "TAKING":
            self.world.judge.claimed(self.name, action.group, action.epoch)
        if action.after.name == "YIELDING":
            self.yielded_at_us = self.world.now_us
        return 0

    def _alarm(self, action: Any) -> int:
        sign = "alarm" if action.is_on else "alarm over"
        self.world.say(f"{self.name}: {sign} {'/'.join(action.key)} {action.text}")
        return 0

    def _reply(self, action: Any) -> int:
        word = "done" if action.is_done else "not done"
        self.world.say(f"{self.name}: {action.group} {word}: {action.text}")
        return 0

    def _stop(self, _action: Any) -> int:
        self.world.say(f"{self.name}: stops")
        self.guard = Guard(is_alive=False)
        self.has_left = True
        self._end()
        return 0

    HANDLERS: ClassVar = {
        "SendBeat": _send_beat,
        "Probe": _probe,
        "Ask": _ask,
        "PrepareFence": _prepare_fence,
        "TellGuard": _tell_guard,
        "StartGuard": _start_guard,
        "LayOut": _lay_out,
        "EndReload": _end_reload,
        "TakeVips": _take_vips,
        "RenewVips": _renew_vips,
        "DropVips": _drop_vips,
        "OpenFence": _open_fence,
        "RenewFence": _renew_fence,
        "ShutArp": _shut_arp,
        "CloseFence": _close_fence,
        "Announce": _announce,
        "ReserveEpochs": _reserve_epochs,
        "AskArbiter": _ask_arbiter,
        "Report": _report,
        "Alarm": _alarm,
        "Reply": _reply,
        "Stop": _stop,
    }
