"""Puts a daemon together from its configuration, and runs it."""

from __future__ import annotations

import gc
import logging
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from drctl.adapters.addresses import Addresses
from drctl.adapters.fence import Fence, unusable_reason
from drctl.adapters.heartbeat import Heartbeat
from drctl.adapters.metrics_http import MetricsServer
from drctl.adapters.rights import missing_rights
from drctl.adapters.sd_notify import SdNotify
from drctl.adapters.segment import Segment
from drctl.adapters.urgency import be_urgent, begin_urgent
from drctl.core.event import Event, TrackReported
from drctl.daemon.arbiter import check_arbiter
from drctl.daemon.arbiter_watch import ArbiterWatch
from drctl.daemon.config import DaemonConfig, read_config
from drctl.daemon.config_reading import read_failover
from drctl.daemon.control import ControlServer
from drctl.daemon.controller import Controller, Counters, Equipment
from drctl.daemon.desk import Desk
from drctl.daemon.executor import now_ms
from drctl.daemon.failover_settings import Failover
from drctl.daemon.guard_client import Lock
from drctl.daemon.guard_keeper import GuardKeeper
from drctl.daemon.hook_client import Hooks, TrackResult
from drctl.daemon.hook_reading import hook_settings
from drctl.daemon.host import Host
from drctl.daemon.host_check import check_cards, check_host
from drctl.daemon.host_reading import read_host
from drctl.daemon.loop import OTHERS
from drctl.daemon.metrics import CONTENT_TYPE, Counter, metrics
from drctl.daemon.preparation import Own, keyring_of, preparation_of, without_fence
from drctl.daemon.recorder_client import Recorder
from drctl.daemon.reload import Crew, Reloader
from drctl.daemon.rival_check import RivalRuns, check_rivals
from drctl.daemon.state import Memory, State, StateDamaged, open_folder, written_addresses
from drctl.daemon.status import roles_in_words
from drctl.errors import DrctlError, FileRefused, KernelRefused

log = logging.getLogger("drctl")

TABLE = "drctl"
REMEMBER_MS = 10_000
SCRIPTS = "DRCTL_SCRIPTS"
"""Names the socket of whoever runs scripts, where the daemon's own rights are too few for that."""


def run(path: str, *, accepts_unsupported: bool = False) -> bool:
    """The daemon, until SIGTERM or SIGINT, and until everything has been handed over; true when it
    has left its VIPs instead.

    Raises DrctlError with the reasons when it cannot start.
    """
    config = read_config(path)
    if missing := missing_rights():
        hint = "run it as root, or by the units that `drctl run --units` writes"
        raise DrctlError(f"it needs {' and '.join(missing)}: {hint}")
    addresses = Addresses()
    host = read_host(addresses)
    failover = read_failover(config, host, accepts_unsupported=accepts_unsupported)
    for statement in failover.replaced:
        log.info("replaced statement=%r", str(statement))
    for statement in failover.unsupported:
        log.warning("not_carried_out statement=%r", str(statement))
    check_rivals([vip.address for group in failover.settings.groups for vip in group.vips])
    return _Daemon(config, failover, host, addresses, accepts=accepts_unsupported).run()


def check(path: str, *, accepts_unsupported: bool = False) -> tuple[Failover, list[str]]:
    """What `run` would start with, and what else is to be known; raises what it would. A program
    that moves the same VIPs may run: it is to be ended before the start, not before this."""
    config = read_config(path)
    missing = " and ".join(missing_rights())
    notes = [f"the daemon needs {missing}, which this user has not"] if missing else []
    addresses = Addresses()
    try:
        host = read_host(addresses)
        failover = read_failover(config, host, accepts_unsupported=accepts_unsupported)
        hook_settings(failover, config.config)
        keyring_of(config)
        check_arbiter(config.arbiter)
        check_cards(failover.parts, host)
        vips = [vip for group in failover.settings.groups for vip in group.vips]
        reason = "fence.kind is address" if config.fence_kind == "address" else unusable_reason()
        if reason and config.fence_kind == "nft":
            raise DrctlError(f"fence.kind is nft, and there can be no fence: {reason}")
        if reason and config.fence_kind == "auto":
            notes.append(f"without a fence: {reason}")
        check_host(vips, addresses, has_fence=not reason, is_trial=True)
    finally:
        addresses.close()
    try:
        check_rivals([vip.address for vip in vips])
    except RivalRuns as runs:
        notes.append(f"as long as it runs: {runs}")
    return failover, notes


class _Daemon:
    def __init__(
        self,
        config: DaemonConfig,
        failover: Failover,
        host: Host,
        addresses: Addresses,
        *,
        accepts: bool,
    ) -> None:
        self._accepts = accepts
        self._config = config
        self._failover = failover
        self._host = host
        self._addresses = addresses
        self._notify = SdNotify()
        self._counters = Counters()
        self._remembered_ms = now_ms()
        self._has_left = False

    def run(self) -> bool:
        config, failover = self._config, self._failover
        fence = self._fence()
        vips = [vip for group in failover.settings.groups for vip in group.vips]
        check_cards(failover.parts, self._host)
        check_host(vips, self._addresses, has_fence=fence is not None)
        with ExitStack() as stack:
            lock, state = _locked_state(Path(config.state_dir))
            self._drop_former(state, frozenset(vip.address for vip in vips))
            _write_down(state, [vip.address for vip in vips])
            server = ControlServer(config.control)
            stack.callback(server.close)
            recorder = Recorder.spawn(Path(config.state_dir, "history.sqlite3"), now_ms())
            stack.callback(recorder.end)
            scripts = os.environ.pop(SCRIPTS, "")
            wanted = hook_settings(failover, config.config)
            hooks = Hooks.spawn(wanted, now_ms(), scripts)
            stack.callback(hooks.end)
            keyring = keyring_of(config)
            start = preparation_of(config, failover, wanted, keyring, self._host)
            settings = without_fence(start.settings, has_fence=fence is not None)
            start = replace(start, settings=settings)
            desk = Desk(server, recorder, hooks, state)
            begin_urgent()
            equipment = Equipment(
                self._addresses,
                fence,
                Heartbeat(failover.links, keyring),
                {name: self._segment(name, own) for name, own in start.own.items()},
                GuardKeeper(lock, TABLE if fence is not None else ""),
                state,
                desk,
                self._counters,
            )
            controller = Controller(settings, equipment)
            stack.callback(controller.close)
            self._connect(controller, desk, server, recorder, hooks)
            arbiter = ArbiterWatch(config.arbiter, controller, has_fence=fence is not None)
            stack.callback(arbiter.end)
            desk.arbiter = arbiter.state
            if config.metrics_listen is not None:
                page = self._metrics(config.metrics_listen, desk, recorder)
                stack.callback(page.close)
                controller.loop.watch(page.fileno(), OTHERS, _serving(page))
            crew = Crew(
                controller,
                equipment.heartbeat,
                desk,
                hooks,
                state,
                arbiter,
                self._notify,
                self._segment,
            )
            reloader = Reloader(start, crew, has_fence=fence is not None, accepts=self._accepts)
            stack.callback(reloader.end)
            self._run(controller, desk, state, [arbiter.tick, reloader.tick], reloader.ask)
            self._has_left = controller.executor.is_over
        return self._has_left

    def _drop_former(self, state: State, wanted: frozenset[str]) -> None:
        """VIPs of a run that was killed, and that are not configured any more: the fence will not
        have them, and their leases may last. Raises DrctlError for one that cannot be deleted."""
        try:
            former = (written_addresses(state.path) or frozenset()) - wanted
        except StateDamaged as damaged:
            log.warning("former_vips_unknown error=%r", str(damaged))
            return
        present = self._addresses.observed()
        gone = {one.address for one in present if one.address in former and one.valid_ms >= 0}
        if not gone:
            return
        log.info("former_vips_dropped addresses=%s", ",".join(sorted(gone)))
        for refused in self._addresses.delete(gone):
            raise refused

    def _fence(self) -> Fence | None:
        kind = self._config.fence_kind
        if kind == "address":
            return None
        reason = unusable_reason()
        if not reason:
            return Fence(TABLE, self._failover.settings.timing.fence_ms)
        if kind == "nft":
            raise DrctlError(f"fence.kind is nft, and there can be no fence: {reason}")
        log.warning("no_fence reason=%r", reason)
        return None

    def _segment(self, interface: str, own: Own) -> Segment:
        return Segment(interface, own, self._complain)

    def _complain(self, refused: KernelRefused) -> None:
        self._counters.frames_unsent += 1
        if self._counters.frames_unsent == 1:
            log.warning("frame_not_sent error=%r", str(refused))

    def _metrics(self, listen: str, desk: Desk, recorder: Recorder) -> MetricsServer:
        host, _, port = listen.rpartition(":")
        counted = self._counters

        def page() -> str:
            counters = (
                Counter("beats_refused", "Heartbeats that were no such.", counted.beats_refused),
                Counter("frames_unsent", "ARP and ND that was refused.", counted.frames_unsent),
                Counter("events_lost", "Events missing in the history.", recorder.dropped),
                *(
                    Counter("link_falls", "How often the path was down.", falls, _labels(*name))
                    for name, falls in desk.link_falls().items()
                ),
            )
            return metrics(desk.status(), counters)

        return MetricsServer(host.strip("[]"), int(port), page, CONTENT_TYPE)

    def _connect(
        self,
        controller: Controller,
        desk: Desk,
        server: ControlServer,
        recorder: Recorder,
        hooks: Hooks,
    ) -> None:
        desk.node = controller.node
        desk.on_stop = controller.loop.stop
        desk.on_disk = controller.on_disk
        desk.on_leave = controller.leave
        controller.on_denied = desk.denied
        controller.on_unread = desk.unread
        desk.guard_pid = controller.guard_pid
        desk.links = {(one.peer, one.name): (one.local, one.remote) for one in self._failover.links}
        loop = controller.loop
        loop.watch(server.fileno(), OTHERS, desk.requests)

        def recorded() -> Iterator[Event]:
            recorder.receive(now_ms())
            yield from ()

        def tracked() -> Iterator[Event]:
            for result in hooks.receive(now_ms()):
                if isinstance(result, TrackResult):
                    yield TrackReported(now_ms(), result.name, result.is_up, result.value)
                    words = (result.name, result.is_up, result.value, result.why)
                    log.info("track name=%r is_up=%s value=%d why=%r", *words)
                    more = {"is_up": result.is_up, "value": result.value}
                    recorder.put(
                        {"kind": "track", "name": result.name, "reason": result.why, **more}
                    )
                    continue
                if result.why:
                    log.warning("script_failed what=%r why=%r", result.what, result.why)
                recorder.put({"kind": "script", "name": result.what, "reason": result.why})

        loop.watch(recorder.fileno(), OTHERS, recorded)
        loop.watch(hooks.fileno(), OTHERS, tracked)
        desk.started()

    def _run(
        self,
        controller: Controller,
        desk: Desk,
        state: State,
        ticks: Sequence[Callable[[], None]],
        reload: Callable[[], None],
    ) -> None:
        wakeup = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

        def asked_to_stop(*_: object) -> None:
            os.eventfd_write(wakeup, 1)

        def stop() -> Iterator[Event]:
            controller.loop.forget(wakeup)
            self._notify.stopping()
            controller.stop()
            yield from ()

        controller.loop.watch(wakeup, OTHERS, stop)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, asked_to_stop)
        _on_hangup(controller, reload)

        def tick() -> None:
            desk.tick()
            for each in ticks:
                each()
            self._notify.watchdog()
            if self._notify.is_wanted:
                self._notify.status(roles_in_words(controller.node))
            self._remember(controller, state)

        controller.on_turn = tick
        log.info("started node=%s pid=%d", self._config.node, os.getpid())
        self._notify.ready(roles_in_words(controller.node))
        # what is there now lives as long as the process: the collector need not look at it again
        gc.collect()
        gc.freeze()
        for reason in be_urgent():
            log.warning("not_urgent reason=%r", reason)
        controller.run()
        log.info("stopped node=%s", self._config.node)

    def _remember(self, controller: Controller, state: State) -> None:
        if now_ms() - self._remembered_ms < REMEMBER_MS:
            return
        self._remembered_ms = now_ms()
        around = controller.node.around
        memory = Memory(
            tuple((name, one) for name, sight in around.sights.items() for one in sight.stations),
            tuple((name, mac) for name, peer in around.peers.items() for mac in sorted(peer.macs)),
        )

        def remember() -> None:
            trouble = state.remember(memory)
            if trouble:
                log.warning("not_remembered reason=%r", trouble)

        controller.on_disk(remember, lambda _: None)


def _on_hangup(controller: Controller, reload: Callable[[], None]) -> None:
    """SIGHUP asks for a reload."""
    wakeup = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def asked() -> Iterator[Event]:
        os.eventfd_read(wakeup)
        reload()
        yield from ()

    controller.loop.watch(wakeup, OTHERS, asked)
    signal.signal(signal.SIGHUP, lambda *_: os.eventfd_write(wakeup, 1))


def _labels(peer: str, link: str) -> tuple[tuple[str, str], ...]:
    return (("peer", peer), ("link", link))


def _locked_state(folder: Path) -> tuple[Lock, State]:
    """The state as it is when nobody else writes to it any more."""
    open_folder(folder)
    lock = Lock.acquire(folder / "lock")
    return lock, State.open(folder)


def _write_down(state: State, addresses: list[str]) -> None:
    try:
        state.set_addresses(addresses)
    except FileRefused as refused:
        log.warning("vips_not_written error=%r", str(refused))


def _serving(server: MetricsServer) -> Callable[[], Iterator[Event]]:
    def serve() -> Iterator[Event]:
        server.serve()
        yield from ()

    return serve
