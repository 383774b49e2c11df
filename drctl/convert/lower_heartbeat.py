"""pulse's heartbeat, link watch and commands in VRRP's terms (pulse 0.8.6)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from drctl.convert.ledger import Ledger, Verdict
from drctl.convert.options import ConvertOptions
from drctl.convert.writable import command_or_none, is_bare_command, is_device
from drctl.model.configuration import Configuration
from drctl.model.origin import SELF
from drctl.model.pair import Director, Hook, Pulse, Rank
from drctl.model.vrrp import Track, VrrpInstance
from drctl.text.place import Place

LONGEST_ADVERT_MS = 255_000
MOST_ADVERTS = 100
"""keepalived 2.2.7 refuses more for down_timer_adverts."""

Commands = list[tuple[str, tuple[Place, ...]]]


def places_that_name_a_backup(configuration: Configuration) -> tuple[Place, ...]:
    """Where the file asks for a second director, also in words that cannot be read."""
    pulse = configuration.pulse
    assert pulse is not None, "only an lvs.cf is lowered"
    return (
        *configuration.origins.get("backup", ()),
        *_unreadable(configuration, "backup"),
        *pulse.origins.get("backup_active", ()),
    )


def _unreadable(configuration: Configuration, keyword: str) -> tuple[Place, ...]:
    """Places of global statements with a value that nothing could be made of."""
    return tuple(
        left.place
        for left in configuration.leftovers
        if left.place is not None and left.word.lower() == keyword
    )


def decide_backup(
    configuration: Configuration, pulse: Pulse, options: ConvertOptions, ledger: Ledger
) -> bool:
    """Whether there are two directors, with notes on every statement that decides it."""
    backup = next((d for d in configuration.directors if d.rank is Rank.BACKUP), None)
    switch = pulse.origins.get("backup_active", ())
    is_named = backup is not None and backup.public is not None
    is_template = not is_named and bool(_unreadable(configuration, "backup"))
    if options.is_backup_forced and not (is_named and pulse.backup_active):
        why = "--with-backup asks for a backup, which the file does not name or has switched off"
        ledger.choose("pair", "two directors", why, "--with-backup")
        ledger.note(switch, Verdict.REPAIRED, why)
        return True
    if is_template and pulse.backup_active:
        why = "the file names a backup, though its address cannot be read"
        ledger.choose("pair", "two directors", why, "--with-backup")
        ledger.note(switch, Verdict.EXACT, "two directors are written")
        return True
    if not is_named and not is_template:
        why = "the file names no backup, so there is nobody to take over"
        todo = "add backup and backup_active = 1 to the lvs.cf, or use --with-backup"
        ledger.choose("pair", "one director", why, "--with-backup")
        ledger.idle(switch, "pulse had nobody to beat to, because the file names no backup", todo)
        ledger.idle(configuration.origins.get("backup", ()), "0.0.0.0 means that there is none")
        ledger.idle(configuration.origins.get("backup_private", ()), why, todo)
        return False
    if pulse.backup_active:
        ledger.note(switch, Verdict.EXACT, "two directors are written")
        return True
    why = "backup_active is 0 or missing: pulse sent no heartbeats and exited on the backup"
    if _unreadable(configuration, "backup_active"):
        why = "backup_active cannot be read, and is 0 by default"
    todo = "convert with --with-backup for a pair"
    ledger.note(switch, Verdict.EXACT, "one director is written, as pulse ran alone", todo)
    if backup is not None:
        places = (*backup.origins.get("public", ()), *backup.origins.get("private", ()))
        ledger.idle(places, why, todo)
    ledger.choose("pair", "one director", why, "--with-backup")
    return False


def timed(instance: VrrpInstance, pulse: Pulse, ledger: Ledger) -> VrrpInstance:
    """The instance with its heartbeat interval and limit: so many adverts missed."""
    keepalive = pulse.origins.get("keepalive_ms", ())
    deadtime = pulse.origins.get("deadtime_ms", ())
    advert_ms, adverts = _advert(pulse, ledger)
    if not keepalive or not deadtime:
        ledger.choose(
            "heartbeat",
            f"every {advert_ms // 1000} s, dead after {adverts} missed",
            "where the file is silent, these are pulse's defaults: keepalive 2 s, deadtime 5 s",
            "edit advert_int and down_timer_adverts",
        )
    return replace(
        instance,
        advert_ms=advert_ms,
        down_timer_adverts=adverts,
        origins={
            **instance.origins,
            "advert_ms": keepalive,
            "down_timer_adverts": (*deadtime, *keepalive),
        },
    )


def _advert(pulse: Pulse, ledger: Ledger) -> tuple[int, int]:
    """Interval in milliseconds, whole seconds as VRRP version 2 has them, and adverts."""
    keepalive_ms, deadtime_ms = pulse.keepalive_ms, pulse.deadtime_ms
    keepalive = pulse.origins.get("keepalive_ms", ())
    deadtime = pulse.origins.get("deadtime_ms", ())
    both = (*keepalive, *deadtime)
    if keepalive_ms < 1000:
        keepalive_ms = 1000
        ledger.note(keepalive, Verdict.REPAIRED, "0 s is no interval; 1 s written")
    if deadtime_ms < 2 * keepalive_ms:
        advert_ms = min(max(deadtime_ms // 3000 * 1000, 1000), LONGEST_ADVERT_MS)
        adverts = min(max(_rounded(deadtime_ms, advert_ms), 2), MOST_ADVERTS)
        is_kept = adverts * advert_ms == deadtime_ms
        why = (
            f"deadtime {deadtime_ms // 1000} s is less than two heartbeats of "
            f"{keepalive_ms // 1000} s, so one lost packet, or none, moved the VIPs; "
            f"{adverts} adverts of {advert_ms // 1000} s "
            + (
                "keep the deadtime and bear a loss"
                if is_kept
                else "are the least that bears a loss"
            )
        )
        ledger.note(both, Verdict.REPAIRED, why)
        return advert_ms, adverts
    if keepalive_ms > LONGEST_ADVERT_MS:
        keepalive_ms = LONGEST_ADVERT_MS
        ledger.note(keepalive, Verdict.APPROXIMATED, "VRRP's longest interval is 255 s")
    adverts = _rounded(deadtime_ms, keepalive_ms)
    if adverts > MOST_ADVERTS:
        why = f"keepalived waits for {MOST_ADVERTS} adverts at most"
        ledger.note(deadtime, Verdict.APPROXIMATED, why)
        return keepalive_ms, MOST_ADVERTS
    if deadtime_ms % keepalive_ms:
        why = (
            f"no multiple of keepalive: a director is dead after {adverts} missed adverts, "
            f"{adverts * keepalive_ms // 1000} s, and a part of an interval"
        )
        ledger.note(deadtime or keepalive, Verdict.APPROXIMATED, why)
    else:
        why = (
            f"{adverts} missed adverts, as pulse waited; VRRP adds a skew below one interval that "
            "depends on the priority"
        )
        ledger.note(deadtime, Verdict.EXACT, why)
    return keepalive_ms, adverts


def _rounded(part_ms: int, whole_ms: int) -> int:
    return (part_ms + whole_ms // 2) // whole_ms


def note_replaced(pulse: Pulse, ledger: Ledger, *, has_backup: bool) -> None:
    """What VRRP and keepalived have no use for."""
    todo = ""
    if has_backup:
        todo = (
            f"allow protocol 112 between the directors where UDP {pulse.heartbeat_port} was "
            "allowed; the firewall files of the directors' folders do it"
        )
    why = "VRRP is IP protocol 112 and has no port"
    ledger.idle(pulse.origins.get("heartbeat_port", ()), why, todo)
    why = "the death of a checker is not fatal in keepalived, which restarts it"
    if pulse.hard_shutdown:
        ledger.field(pulse.origins, "hard_shutdown", Verdict.DROPPED, why)
    else:
        ledger.idle(pulse.origins.get("hard_shutdown", ()), why)
    ledger.field(pulse.origins, "service", Verdict.EXACT, "decides which blocks are converted")


def lower_hooks(
    pulse: Pulse, starts: Commands, stops: Commands, ledger: Ledger
) -> tuple[Hook, ...]:
    """active_cmd and start commands at master; inactive_cmd and stop commands at every other
    state. keepalived takes one command per event, so several become one line of a shell."""
    ups, downs = [], []
    for hook in pulse.hooks:
        places = hook.origins.get("command", ())
        command = command_or_none(hook.command, places, ledger)
        if command is None:
            continue
        if hook.event == "active":
            ups.append((command, places))
            why = (
                "pulse ran it before the services were set up, and again whenever the partner "
                "claimed to be active; keepalived runs it once, when it has become master"
            )
        else:
            downs.append((command, places))
            why = (
                "pulse ran it before the services were taken down, keepalived runs it when it has "
                "become backup, fails or stops; both run it at the start"
            )
        ledger.note(places, Verdict.APPROXIMATED, why)
    return (
        *_joined_hooks(("master",), [*ups, *starts], ledger),
        *_joined_hooks(("backup", "fault", "stop"), [*downs, *stops], ledger),
    )


def _joined_hooks(events: tuple[str, ...], commands: Commands, ledger: Ledger) -> list[Hook]:
    if len(commands) > 1:
        bare = []
        for command, places in commands:
            if is_bare_command(command):
                bare.append((command, places))
            else:
                why = "several commands share one place, and this one holds quotes or the like"
                ledger.note(places, Verdict.DROPPED, why, "put it into a script and name that")
        commands = bare
    if not commands:
        return []
    text = commands[0][0]
    if len(commands) > 1:
        text = "/bin/sh -c '" + "; ".join(command for command, _ in commands) + "'"
    every = tuple(place for _, found in commands for place in found)
    text_or_none = command_or_none(text, every, ledger)
    if text_or_none is None:
        return []
    return [Hook(event, text, origins={SELF: every, "command": every}) for event in events]


@dataclass(frozen=True, slots=True)
class Networks:
    """Devices of the directors: `own` is the one VRRP runs on, `public` and `private` those of
    the two networks, None when unknown; `gateway` has an instance of its own."""

    own: str
    public: str | None
    private: str | None
    gateway: str | None = None


def private_device(pulse: Pulse, options: ConvertOptions) -> str | None:
    """The device of the private network, as far as it can be told."""
    if options.private_interface is not None:
        return options.private_interface
    guess = pulse.sync_interface
    return guess if guess is not None and is_device(guess) else None


def lower_tracks(
    pulse: Pulse,
    directors: dict[Rank, Director],
    networks: Networks,
    options: ConvertOptions,
    ledger: Ledger,
) -> tuple[Track, ...]:
    """Devices whose carrier is watched, as pulse watched those with a director's public and
    private address; never the instance's own, which keepalived watches anyhow."""
    places = pulse.origins.get("monitor_links", ())
    if not pulse.monitor_links:
        why = (
            f"pulse did not look at links; keepalived gives the VIPs up when {networks.own}, the "
            "device of its instance, loses its own"
        )
        todo = "add dont_track_primary to the instance if that is not wanted"
        ledger.note(places, Verdict.APPROXIMATED, why, todo)
        if not places:
            ledger.choose("link of the instance's device", "watched", why, "add dont_track_primary")
        return ()
    has_private = any(d.private not in {None, d.public} for d in directors.values())
    devices: dict[str, None] = {}
    if networks.public is not None:
        devices[networks.public] = None
    if networks.private is not None and (has_private or options.private_interface is not None):
        devices[networks.private] = None
        if options.private_interface is None and networks.private != networks.gateway:
            ledger.choose(
                "device of the private network",
                networks.private,
                "lvs.cf does not name it; syncd_iface is the best guess",
                "--private-interface",
            )
    for device in (networks.own, networks.gateway):
        devices.pop(device or "", None)
    if has_private and networks.private is None:
        why = (
            f"{networks.own} is the instance's own device, which keepalived watches anyhow; the "
            "private network's device, which pulse watched too, is not in lvs.cf"
        )
        todo = "name it with --private-interface"
        ledger.note(places, Verdict.APPROXIMATED, why, todo)
    elif not devices:
        why = f"{networks.own} is the instance's own device, which keepalived watches anyhow"
        ledger.note(places, Verdict.EXACT, why)
    return tuple(Track("interface", device, origins={SELF: places}) for device in devices)
