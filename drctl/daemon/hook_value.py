"""What the process that runs scripts is told: values, and how they travel as JSON."""

from __future__ import annotations

from typing import Any

from drctl.quickclass import dataclass

INSTANCE, GROUP = "INSTANCE", "GROUP"
MASTER, BACKUP, FAULT, STOP = "MASTER", "BACKUP", "FAULT", "STOP"
"""keepalived's words for states, which scripts get as arguments."""
START, RELOAD, AGAIN = "start", "reload", "again"
"""When settings are told: at the start of the daemon, when they have changed, and to the process
that takes the place of one that died."""


@dataclass(frozen=True, slots=True)
class Program:
    """A command and whom it runs as; None: as the daemon. A user needs a group."""

    argv: tuple[str, ...]
    uid: int | None = None
    gid: int | None = None


@dataclass(frozen=True, slots=True)
class Notify:
    """What one VRRP instance or sync group does at a change of state.

    `group` is the group of VIPs that it belongs to; several may belong to the same. `kind` is
    INSTANCE or GROUP. `scripts` are pairs of keepalived's keyword without `notify_` (`master`,
    `backup`, `fault`, `stop`; `notify` for the one that gets arguments) and program. `fifos` are
    named pipes that get a line.
    """

    group: str
    kind: str
    name: str
    scripts: tuple[tuple[str, Program], ...] = ()
    fifos: tuple[str, ...] = ()
    sends_mail: bool = False


@dataclass(frozen=True, slots=True)
class TrackScript:
    """A command that is run every `interval_ms`; exit status 0 is success.

    `rise` successes make it up, `fall` failures down. A run that lasts longer than `timeout_ms` (0:
    the interval) is a failure and killed. `starts_failed`: it is down until it has succeeded.
    """

    name: str
    program: Program
    interval_ms: int = 1000
    timeout_ms: int = 0
    rise: int = 1
    fall: int = 1
    starts_failed: bool = False


@dataclass(frozen=True, slots=True)
class TrackFile:
    """A file with a number; another one than 0 is a failure where no weight says otherwise.

    It is made with `initial` at the start, unless that is None; where it is there already only when
    `overwrites`, and only when the daemon starts.
    """

    name: str
    path: str
    initial: int | None = None
    overwrites: bool = False


@dataclass(frozen=True, slots=True)
class TrackProcess:
    """Processes of which there are to be from `quorum` to `quorum_max` (None: any number).

    `program` is the name of a process, as in /proc/PID/comm, or with `is_full_command` the first
    word of its command line. Then `match` is how `arguments` are compared with the rest: `exact`,
    `partial` (they are the first ones), `initial` (and the last may be longer), "" not at all.
    """

    name: str
    program: str
    arguments: tuple[str, ...] = ()
    match: str = ""
    is_full_command: bool = False
    quorum: int = 1
    quorum_max: int | None = None
    fork_delay_ms: int = 0
    terminate_delay_ms: int = 0


@dataclass(frozen=True, slots=True)
class MailSettings:
    """Where mails about changes of state go. `router_id` is named in their subject."""

    server: str
    port: int
    sender: str
    recipients: tuple[str, ...]
    router_id: str
    helo: str = ""
    timeout_ms: int = 30_000
    has_faults: bool = True


@dataclass(frozen=True, slots=True)
class HookSettings:
    """All that is run for a configuration. `limit_ms` is how long a notify script may take."""

    notifies: tuple[Notify, ...] = ()
    tracks: tuple[TrackScript, ...] = ()
    mail: MailSettings | None = None
    limit_ms: int = 60_000
    files: tuple[TrackFile, ...] = ()
    processes: tuple[TrackProcess, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to run, whatever happens."""
        return not (self.notifies or self.tracks or self.files or self.processes)


def settings_to_json(settings: HookSettings) -> dict[str, Any]:
    """As it is sent."""
    from dataclasses import asdict  # the process that runs scripts does without that module

    return asdict(settings)


def settings_of_json(value: dict[str, Any]) -> HookSettings:
    """What `settings_to_json` made, after it has been JSON."""
    mail = value["mail"]
    if mail is not None:
        mail = MailSettings(**{**mail, "recipients": tuple(mail["recipients"])})
    return HookSettings(
        tuple(_notify(one) for one in value["notifies"]),
        tuple(
            TrackScript(**{**one, "program": _program(one["program"])}) for one in value["tracks"]
        ),
        mail,
        value["limit_ms"],
        tuple(TrackFile(**one) for one in value["files"]),
        tuple(
            TrackProcess(**{**one, "arguments": tuple(one["arguments"])})
            for one in value["processes"]
        ),
    )


def _notify(value: dict[str, Any]) -> Notify:
    scripts = tuple((event, _program(program)) for event, program in value["scripts"])
    return Notify(**{**value, "scripts": scripts, "fifos": tuple(value["fifos"])})


def _program(value: dict[str, Any]) -> Program:
    return Program(tuple(value["argv"]), value["uid"], value["gid"])
