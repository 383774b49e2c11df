"""What is run for a configuration, in the words of the process that runs it."""

from __future__ import annotations

import grp
import pwd

from drctl.daemon.failover_group import GroupParts
from drctl.daemon.failover_settings import Failover
from drctl.daemon.hook_value import (
    GROUP,
    INSTANCE,
    HookSettings,
    MailSettings,
    Notify,
    Program,
    TrackFile,
    TrackProcess,
    TrackScript,
)
from drctl.daemon.problem import ConfigRefused, Problem
from drctl.daemon.tracked import Watch
from drctl.model.tracking import TrackFile as ConfiguredFile
from drctl.model.tracking import TrackProcess as ConfiguredProcess
from drctl.model.vrrp import TrackScript as ConfiguredScript
from drctl.readers.keepalived_words import MEASURED_VERSION
from drctl.syntax.expand_script import script_words

SMTP_PORT = 25
SCRIPT_USER = "keepalived_script"
NOTIFIED = {"master": "master", "backup": "backup", "fault": "fault", "stop": "stop"}
NOTIFIED |= {"notify": "notify", "active": "master", "inactive": "backup"}
"""The hooks of keepalived and of pulse that concern a group, as keepalived calls them."""


def hook_settings(failover: Failover, path: str) -> HookSettings:
    """ConfigRefused names every user that does not exist."""
    maker = _Maker(path, failover.fifos, _default_user(failover))
    notifies = tuple(one for parts in failover.parts for one in maker.notifies(parts))
    tracks = tuple(
        maker.track(watch, watch.what)
        for watch in failover.watches
        if isinstance(watch.what, ConfiguredScript)
    )
    files = tuple(
        _file(watch, watch.what)
        for watch in failover.watches
        if isinstance(watch.what, ConfiguredFile)
    )
    processes = tuple(
        _process(watch, watch.what)
        for watch in failover.watches
        if isinstance(watch.what, ConfiguredProcess)
    )
    if maker.problems:
        raise ConfigRefused(maker.problems)
    return HookSettings(notifies, tracks, _mail(failover), files=files, processes=processes)


class _Maker:
    def __init__(
        self,
        path: str,
        fifos: tuple[str, ...] = (),
        default: tuple[str | None, str | None] = (None, None),
    ) -> None:
        self.path = path
        self.fifos = fifos
        self.default = default
        self.problems: list[Problem] = []

    def notifies(self, parts: GroupParts) -> list[Notify]:
        """One for each instance and sync group that has something to be told."""
        owners: dict[tuple[str, str], list[tuple[str, Program]]] = {}
        for each in parts.hooks:
            event = NOTIFIED.get(each.hook.event)
            if event is None:
                continue
            program = self.program(each.hook.command, each.hook.user, each.hook.group)
            owners.setdefault((each.kind or INSTANCE, each.owner), []).append((event, program))
        for name in parts.mails:
            owners.setdefault((self._kind_of(parts, name), name), [])
        if self.fifos:
            for owner in parts.owners:
                owners.setdefault(owner, [])
        return [
            Notify(parts.group.name, kind, name, tuple(scripts), self.fifos, name in parts.mails)
            for (kind, name), scripts in owners.items()
        ]

    def _kind_of(self, parts: GroupParts, name: str) -> str:
        return GROUP if name == parts.group.name and len(parts.group.interfaces) > 1 else INSTANCE

    def track(self, watch: Watch, script: ConfiguredScript) -> TrackScript:
        program = self.program(script.command or "/bin/false", script.user, script.group)
        interval_ms = script.interval_ms or 1000
        timeout_ms = script.timeout_ms or 0
        rise, fall = script.rise or 1, script.fall or 1
        return TrackScript(
            watch.name,
            program,
            interval_ms,
            timeout_ms,
            rise,
            fall,
            starts_failed=script.starts_failed,
        )

    def program(self, command: str, user: str | None, group: str | None) -> Program:
        argv = script_words(command, MEASURED_VERSION)
        if not argv:
            self.problems.append(Problem(self.path, 0, f"{command}: a quote in it has no end"))
            return Program((command,))
        if user is None:
            user, group = self.default
        if user is None:
            return Program(argv)
        try:
            entry = pwd.getpwnam(user)
            gid = entry.pw_gid if group is None else grp.getgrnam(group).gr_gid
        except KeyError:
            whom = user if group is None else f"{user} or group {group}"
            self.problems.append(Problem(self.path, 0, f"{command}: there is no user {whom}"))
            return Program(argv)
        return Program(argv, entry.pw_uid, gid)


def _default_user(failover: Failover) -> tuple[str | None, str | None]:
    """User and group of scripts that name none (keepalived 2.2.7, lib/notify.c): script_user, or a
    user of a certain name where there is one, or the daemon's own. pulse's have the daemon's."""
    if failover.is_from_lvs_cf:
        return None, None
    if failover.script_user:
        user, _, group = failover.script_user.partition(" ")
        return user, group.strip() or None
    try:
        pwd.getpwnam(SCRIPT_USER)
    except KeyError:
        return None, None
    return SCRIPT_USER, None


def _file(watch: Watch, file: ConfiguredFile) -> TrackFile:
    return TrackFile(
        watch.name,
        file.path or "",
        file.initial,
        overwrites=file.overwrites,
    )


def _process(watch: Watch, process: ConfiguredProcess) -> TrackProcess:
    match = process.match or ("exact" if process.arguments else "")
    least, most = _quorum(process)
    return TrackProcess(
        watch.name,
        process.program or "",
        process.arguments,
        match,
        is_full_command=process.is_full_command or bool(match),
        quorum=least,
        quorum_max=most,
        fork_delay_ms=_whole_ms(process.fork_delay_us),
        terminate_delay_ms=_whole_ms(process.terminate_delay_us),
    )


def _quorum(process: ConfiguredProcess) -> tuple[int, int | None]:
    """Of a contradiction keepalived keeps what it read first. No process at all is right when
    quorum_max is 0."""
    least, most = process.quorum or 1, process.quorum_max
    if most is None or least <= most:
        return least, most
    if most == 0 and least == 1 and process.quorum is None:
        return 0, 0
    first = [process.origins[name][-1].line for name in ("quorum", "quorum_max")]
    if first[0] < first[1]:
        return (0, 0) if (least, most) == (1, 0) else (least, None)
    return (0, 0) if most == 0 else (1, most)


def _whole_ms(delay_us: int | None) -> int:
    """Up to the next millisecond, so that none becomes nothing."""
    return -(-(delay_us or 0) // 1000)


def _mail(failover: Failover) -> MailSettings | None:
    given = failover.mail
    if given is None:
        return None
    host, _, port = (given.server or "127.0.0.1").partition(" ")
    return MailSettings(
        host,
        int(port) if port.strip().isdigit() else SMTP_PORT,
        given.sender or "drctl",
        given.recipients,
        given.router_id or failover.settings.node,
        given.helo_name or "",
        given.timeout_s * 1000,
        has_faults=given.has_faults,
    )
