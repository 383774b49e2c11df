"""The hook runner: scripts and mails, in a process of its own, so that nothing that they do delays
the controller.

Started by `hook_client`, as `python -m drctl.daemon.hooks CHANNEL`; it ends soon after the channel
does. It is told `{"settings": ...}` and `{"changed": group, "state": ..., "priority": N}`. It says
`{"track": name, "is_up": bool, "value": N, "why": ...}` when a tracked thing changed, and
`{"ran": what, "code": N, "why": ...}` of other programs: "" as `why` when all is well.

Scripts of one VRRP instance or sync group run one after the other in the order of the changes, the
one for the state beside the one that gets arguments; those of different ones run at once.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from drctl.daemon.background import begin
from drctl.daemon.fifo import Fifos
from drctl.daemon.hook_value import (
    AGAIN,
    GROUP,
    START,
    HookSettings,
    MailSettings,
    Notify,
    Program,
    TrackScript,
    settings_of_json,
)
from drctl.daemon.line_channel import ChannelEnded, LineChannel
from drctl.daemon.process_watch import ProcessWatch
from drctl.daemon.script import NOT_STARTED, Launcher, Script
from drctl.daemon.tracker import Tracker
from drctl.daemon.watched_file import FileWatch
from drctl.quickclass import dataclass, replace

LAST_MS = 5000
"""How long scripts may go on after the controller has ended."""
LONGEST_WAIT_MS = 3_600_000
MOST_WAITING = 100
"""Programs of one lane that wait for their turn; the oldest of more are left out."""
MAIL_PROGRAM = (sys.executable, "-s", "-P", "-m", "drctl.adapters.mail")

LONGEST_WORDS = 300
Ended = Callable[[int, bool, str], None]
"""Told the exit status, whether the program was late, and what it complained of last."""


@dataclass(slots=True)
class _Track:
    script: TrackScript
    tracker: Tracker
    next_ms: int
    running: Script | None = None
    has_told_late: bool = False


@dataclass(frozen=True, slots=True)
class _Job:
    what: str
    program: Program
    arguments: Sequence[str]
    limit_ms: int
    stdin: bytes = b""


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


class Runner:
    """Runs all programs of one configuration, until the channel ends. With the path of a drctl.toml
    it runs none that the configuration does not name."""

    def __init__(self, channel: socket.socket, config_path: str = "") -> None:
        self._lines = LineChannel(channel)
        self._config_path = config_path
        self._launcher = Launcher()
        self._settings = HookSettings()
        self._poll = select.poll()
        self._running: dict[int, tuple[Script, Ended, int]] = {}
        self._lanes: dict[str, deque[_Job]] = {}
        """Jobs of a lane that wait; there is a lane as long as one of its jobs runs."""
        self._tracks: dict[str, _Track] = {}
        self._files = FileWatch()
        self._processes = ProcessWatch()
        self._fifos = Fifos()
        self._end_ms: int | None = None

    def run(self) -> int:
        """Until the controller has gone and what it still wanted is done, or took too long."""
        self._poll.register(self._lines, select.POLLIN)
        self._poll.register(self._processes, select.POLLIN)
        self._poll.register(self._files, select.POLLIN)
        while self._end_ms is None or (self._running and _now_ms() < self._end_ms):
            self._wait()
        for script, *_ in self._running.values():
            script.signal(signal.SIGKILL)
        return 0

    def _wait(self) -> None:
        now_ms = _now_ms()
        wakes = [script.wake_ms() for script, *_ in self._running.values()]
        wakes += [track.next_ms for track in self._tracks.values()]
        wakes.append(self._processes.wake_ms())
        wakes.append(self._files.wake_ms())
        if self._end_ms is not None:
            wakes.append(self._end_ms)
        wait_ms = min(max(0, min(wakes, default=LONGEST_WAIT_MS) - now_ms), LONGEST_WAIT_MS)
        for descriptor, _ in self._poll.poll(wait_ms):
            if descriptor in self._running:
                self._end_of(descriptor)
            elif descriptor == self._processes.fileno():
                self._processes.receive(_now_ms())
            elif descriptor == self._files.fileno():
                self._files.receive()
            else:
                self._listen()
        now_ms = _now_ms()
        for script, *_ in list(self._running.values()):
            script.tick(now_ms)
        for track in self._tracks.values():
            self._step(track, now_ms)
        self._look_at_files(now_ms)
        self._look_at_processes(now_ms)
        if self._end_ms is None:
            self._lines.flush()

    def _listen(self) -> None:
        try:
            messages = self._lines.receive()
        except ChannelEnded:
            self._stop()
            return
        for message in messages:
            if "settings" in message:
                settings = settings_of_json(message["settings"])
                if self._refuses(settings):
                    return
                self._configure(settings, message["when"])
            elif "changed" in message:
                self._change(message["changed"], message["state"], message["priority"])

    def _refuses(self, settings: HookSettings) -> bool:
        """Whether they are not the configuration's; then this process ends, and says why."""
        if not self._config_path:
            return False
        from drctl.daemon.hook_check import objection  # only privileged runners need readers

        why = objection(settings, self._config_path)
        if why:
            self._say({"ran": "scripts", "code": NOT_STARTED, "why": why})
            self._stop()
        return bool(why)

    def _stop(self) -> None:
        self._poll.unregister(self._lines)
        self._end_ms = _now_ms() + LAST_MS
        self._forget_tracks(set(self._tracks))
        self._files.configure((), is_start=False)
        self._processes.configure((), _now_ms())

    def _say(self, message: dict[str, Any]) -> None:
        if self._end_ms is None:
            self._lines.put(message)

    # programs

    def _start(self, job: _Job, ended: Ended) -> Script | None:
        given = -1
        try:
            if job.stdin:
                given = _given(job.stdin)
            limit_at_ms = _now_ms() + job.limit_ms
            script = self._launcher.start(job.program, job.arguments, limit_at_ms, given)
        except OSError as cause:
            if given >= 0:
                os.close(given)
            self._say({"ran": job.what, "code": NOT_STARTED, "why": f"no process: {cause}"})
            return None
        self._running[script.fileno()] = (script, ended, given)
        self._poll.register(script.fileno(), select.POLLIN)
        return script

    def _end_of(self, descriptor: int) -> None:
        script, ended, given = self._running.pop(descriptor)
        self._poll.unregister(descriptor)
        ended(script.end(), script.is_late, _last_words(given))

    # notify scripts and mails

    def _change(self, group: str, state: str, priority: int) -> None:
        for notify in self._settings.notifies:
            if notify.group == group:
                self._notify(notify, state, 0 if notify.kind == GROUP else priority)

    def _notify(self, notify: Notify, state: str, priority: int) -> None:
        arguments = (notify.kind, notify.name, state, str(priority))
        who = f"{notify.kind} {notify.name}"
        for event, program in notify.scripts:
            if event == "notify":
                self._queue(_Job(f"{who} notify {state}", program, arguments, self._limit_ms()))
            elif event == state.lower():
                self._queue(_Job(f"{who} notify_{event}", program, (), self._limit_ms()))
        for path in notify.fifos:
            self._write_fifo(path, f'{notify.kind} "{notify.name}" {state} {priority}\n')
        mail = self._settings.mail
        if notify.sends_mail and mail is not None and (mail.has_faults or state != "FAULT"):
            self._queue(_mail(mail, notify, state))

    def _limit_ms(self) -> int:
        return self._settings.limit_ms

    def _queue(self, job: _Job) -> None:
        """Run it after those of its lane that were there before it."""
        lane = job.what.rpartition(" ")[0]
        waiting = self._lanes.get(lane)
        if waiting is None:
            self._lanes[lane] = deque()
            self._run_next(lane, job)
            return
        if len(waiting) == MOST_WAITING:
            left_out = waiting.popleft()
            self._say({"ran": left_out.what, "code": NOT_STARTED, "why": "left out: too many wait"})
        waiting.append(job)

    def _run_next(self, lane: str, job: _Job) -> None:
        def ended(code: int, is_late: bool, words: str) -> None:
            why = _why(code, is_late=is_late, limit_ms=job.limit_ms)
            if why and words:
                why = f"{why}: {words}"
            self._say({"ran": job.what, "code": code, "why": why})
            self._go_on(lane)

        if self._start(job, ended) is None:
            self._go_on(lane)

    def _go_on(self, lane: str) -> None:
        waiting = self._lanes[lane]
        if waiting:
            self._run_next(lane, waiting.popleft())
        else:
            del self._lanes[lane]

    def _write_fifo(self, path: str, line: str) -> None:
        why = self._fifos.write(path, line)
        if why:
            self._say({"ran": f"fifo {path}", "code": NOT_STARTED, "why": why})

    # tracked scripts

    def _configure(self, settings: HookSettings, when: str) -> None:
        """Other settings: what is tracked and stays the same goes on as it is."""
        self._settings = settings
        self._fifos.keep({path for notify in settings.notifies for path in notify.fifos})
        self._configure_scripts(when)
        for name, why in self._files.configure(self._settings.files, is_start=when == START):
            self._say({"ran": f"file {name}", "code": NOT_STARTED, "why": why})
        trouble = self._processes.trouble
        self._processes.configure(self._settings.processes, _now_ms())
        if self._processes.trouble not in {"", trouble}:
            why = self._processes.trouble
            self._say({"ran": "track_process", "code": NOT_STARTED, "why": why})

    def _configure_scripts(self, when: str) -> None:
        wanted = {script.name: script for script in self._settings.tracks}
        before = dict(self._tracks)
        self._forget_tracks({n for n, old in before.items() if wanted.get(n) != old.script})
        for name, script in wanted.items():
            if name in self._tracks:
                continue
            # who takes the place of a dead process has no new opinion
            given = replace(script, starts_failed=False) if when == AGAIN else script
            self._tracks[name] = track = _Track(script, Tracker(given), _now_ms())
            if name in before:
                track.tracker.go_on(before[name].tracker)
            elif given.starts_failed:
                self._tell(track, "it has not run yet")

    def _look_at_files(self, now_ms: int) -> None:
        self._files.tick(now_ms)
        for watched in self._files.changed():
            value = watched.value or 0
            why = f"{watched.file.path} says {value}" if value else ""
            told = {"is_up": value == 0, "value": value, "why": why}
            self._say({"track": watched.file.name, **told})

    def _look_at_processes(self, now_ms: int) -> None:
        self._processes.tick(now_ms)
        for count in self._processes.changed():
            words = {"value": len(count.pids), "why": count.why()}
            self._say({"track": count.wanted.name, "is_up": bool(count.is_up), **words})

    def _forget_tracks(self, names: set[str]) -> None:
        for name in names:
            track = self._tracks.pop(name)
            if track.running is not None:
                track.running.signal(signal.SIGKILL)

    def _step(self, track: _Track, now_ms: int) -> None:
        """A run that is too long counts as a failure at once, and again with each interval in which
        it cannot be killed; the next one starts when it has gone."""
        running = track.running
        if running is not None and running.is_late and not track.has_told_late:
            track.has_told_late = True
            self._take(track, _why(0, is_late=True, limit_ms=_timeout_ms(track.script)))
        if now_ms < track.next_ms:
            return
        track.next_ms = max(track.next_ms + max(1, track.script.interval_ms), now_ms)
        if running is not None:
            track.has_told_late &= not running.is_late
            return
        job = _Job(
            f"track {track.script.name}", track.script.program, (), _timeout_ms(track.script)
        )

        def ended(code: int, is_late: bool, _words: str) -> None:
            track.running = None
            if not is_late:
                self._take(track, _why(code, is_late=False, limit_ms=0))

        track.has_told_late = False
        track.running = self._start(job, ended)
        if track.running is None:
            self._take(track, "it cannot be started")

    def _take(self, track: _Track, why: str) -> None:
        is_known = self._tracks.get(track.script.name) is track
        if is_known and track.tracker.take(is_success=not why):
            self._tell(track, why)

    def _tell(self, track: _Track, why: str) -> None:
        is_up = bool(track.tracker.is_up)
        self._say({"track": track.script.name, "is_up": is_up, "value": 0, "why": why})


def _timeout_ms(script: TrackScript) -> int:
    return script.timeout_ms or script.interval_ms


def _given(content: bytes) -> int:
    """A file in memory to be read from its beginning; what is written comes behind the content."""
    descriptor = os.memfd_create("drctl")
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_APPEND)
    return descriptor


def _last_words(given: int) -> str:
    """The last line that was written behind what was given, which is one line."""
    if given < 0:
        return ""
    with os.fdopen(given, "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 4 * LONGEST_WORDS))
        lines = file.read().decode("utf-8", "replace").strip().split("\n")
    return lines[-1].removeprefix("drctl: ")[:LONGEST_WORDS] if len(lines) > 1 else ""


def _why(code: int, *, is_late: bool, limit_ms: int) -> str:
    """What is wrong with the end of a program, "" when nothing is."""
    if is_late:
        return f"it took longer than {limit_ms / 1000:g} s"
    if code < 0:
        return f"it was ended by {signal.Signals(-code).name}"
    if code == NOT_STARTED:
        return "it cannot be run (status 127)"
    return f"it ended with status {code}" if code else ""


def _mail(mail: MailSettings, notify: Notify, state: str) -> _Job:
    """keepalived's mail about a change of state (vrrp_notify.c, smtp.c)."""
    what = "VRRP Group" if notify.kind == GROUP else "VRRP Instance"
    event = "Stopping" if state == "STOP" else f"Entering {state} state"
    message = {
        "server": mail.server,
        "port": mail.port,
        "sender": mail.sender,
        "recipients": mail.recipients,
        "helo": mail.helo,
        "timeout_s": mail.timeout_ms / 1000,
        "subject": f"[{mail.router_id}] {what} {notify.name} - {event}",
        "body": _body(notify, state),
    }
    return _Job(
        f"{notify.kind} {notify.name} mail {state}",
        Program(MAIL_PROGRAM),
        (),
        2 * mail.timeout_ms,
        json.dumps(message).encode() + b"\n",
    )


def _body(notify: Notify, state: str) -> str:
    if notify.kind == GROUP:
        doing = "stopping" if state == "STOP" else f"in {state} state"
        return f"=> All VRRP group instances are now {doing} <="
    if state == "STOP":
        return "=> VRRP Instance stopping <="
    owning = "now" if state == "MASTER" else "no longer"
    return f"=> VRRP Instance is {owning} owning VRRP VIPs <="


def main(arguments: list[str]) -> int:
    """Run hooks until the controller ends or dies."""
    channel, *config_path = arguments
    return Runner(begin("drctl-hooks", channel), *config_path).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
