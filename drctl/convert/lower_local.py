"""fos services: local services of the active director, started and stopped with the VIPs.

pulse ran the check from the standby; keepalived runs a track script on the active director, and a
failure makes it give up the VIPs. All fos services move together in both.
"""

from __future__ import annotations

from dataclasses import dataclass

from drctl.convert.ledger import Ledger, Verdict
from drctl.convert.options import ConvertOptions
from drctl.model.configuration import Configuration
from drctl.model.origin import SELF
from drctl.model.pair import Hook
from drctl.model.service import LocalService
from drctl.model.vrrp import Track, TrackScript
from drctl.render import checkarg
from drctl.text.place import Place


@dataclass(frozen=True, slots=True)
class LocalParts:
    """What fos services add to the instance."""

    hooks: tuple[Hook, ...] = ()
    scripts: tuple[TrackScript, ...] = ()
    tracks: tuple[Track, ...] = ()


def lower_local_services(
    configuration: Configuration, options: ConvertOptions, ledger: Ledger
) -> LocalParts:
    """Hooks, scripts and tracks of all active failover blocks.

    keepalived takes one command per event, so the commands of several blocks become one shell
    line each.
    """
    starts: list[tuple[str, tuple[Place, ...]]] = []
    stops: list[tuple[str, tuple[Place, ...]]] = []
    scripts: dict[str, TrackScript] = {}
    for block in configuration.local_services:
        if not block.is_active:
            why = "active is 0 or missing: fos skipped the block"
            for places in _places(block):
                ledger.note(places, Verdict.DROPPED, why)
            continue
        ledger.note(
            (*block.origins[SELF], *block.origins.get("is_active", ())),
            Verdict.APPROXIMATED,
            "pulse checked the service from the standby, keepalived checks it where it runs; a "
            "failure moves all VIPs in both",
        )
        if block.start_command:
            starts.append((block.start_command, block.origins.get("start_command", ())))
        if block.stop_command:
            stops.append((block.stop_command, block.origins.get("stop_command", ())))
        script = _script(block, options, ledger, taken=set(scripts))
        if script is not None:
            scripts[script.name] = script
    hooks = [*_hooks(("master",), starts), *_hooks(("backup", "fault", "stop"), stops)]
    if hooks and configuration.pulse is not None and configuration.pulse.hooks:
        for hook in configuration.pulse.hooks:
            why = "start_cmd and stop_cmd of the failover blocks take the one place for a command"
            todo = "call both from one script"
            ledger.field(hook.origins, "command", Verdict.DROPPED, why, todo)
    tracks = tuple(
        Track("script", name, origins=script.origins) for name, script in scripts.items()
    )
    return LocalParts(tuple(hooks), tuple(scripts.values()), tracks)


def _hooks(events: tuple[str, ...], commands: list[tuple[str, tuple[Place, ...]]]) -> list[Hook]:
    if not commands:
        return []
    places = tuple(place for _, found in commands for place in found)
    if len(commands) == 1:
        command = commands[0][0]
    else:
        command = "/bin/sh -c '" + "; ".join(text for text, _ in commands) + "'"
    return [Hook(event, command, origins={SELF: places, "command": places}) for event in events]


def _script(
    block: LocalService, options: ConvertOptions, ledger: Ledger, taken: set[str]
) -> TrackScript | None:
    nanny = block.nanny
    if block.vip is None:
        ledger.note(block.origins[SELF], Verdict.APPROXIMATED, "no address, so nothing is checked")
        for places in nanny.origins.values():
            ledger.note(places, Verdict.DROPPED, "the block has no address to check")
        return None
    ledger.field(nanny.origins, "reentry_ms", Verdict.DROPPED, "fos services are not re-entered")
    if nanny.load_monitor is not None:
        ledger.field(nanny.origins, "load_monitor", Verdict.DROPPED, "no load in fos services")
    timeout_s = max(nanny.timeout_ms // 1000, 1)
    command = _command(block, timeout_s, options, ledger)
    name = "".join(c if c.isalnum() or c in "_-" else "_" for c in block.name) or "service"
    while name in taken:
        name += "_"
    places = tuple(
        place
        for field in ("send", "expect", "program", "uses_regex")
        for place in nanny.origins.get(field, ())
    )
    return TrackScript(
        name,
        command,
        interval_ms=timeout_s * 1000,
        timeout_ms=(2 * timeout_s + 1) * 1000,
        fall=1,
        rise=1,
        origins={
            SELF: block.origins[SELF],
            "command": (*places, *block.origins.get("port", ())),
            "interval_ms": nanny.origins.get("timeout_ms", ()),
            "timeout_ms": nanny.origins.get("timeout_ms", ()),
        },
    )


def _command(block: LocalService, timeout_s: int, options: ConvertOptions, ledger: Ledger) -> str:
    nanny, vip = block.nanny, block.vip
    assert vip is not None, "checked by the caller"
    texts: dict[str, bytes | None] = {}
    for name in ("send", "expect"):
        text = getattr(nanny, name)
        value = None if text is None else checkarg.pulse_unescape(text)
        if isinstance(value, checkarg.BadEscape):
            why = f"{value.escape} is no escape that nanny knows: it looped for ever; left out"
            ledger.field(nanny.origins, name, Verdict.REPAIRED, why, f"correct {name}")
            value = None
        texts[name] = value
    if nanny.program is not None:
        return checkarg.program(
            vip.address,
            block.port,
            command=nanny.program,
            expect=texts["expect"],
            timeout_s=timeout_s,
            is_strict=options.checks != "exact",
            reentry=1,
        )
    return checkarg.send_expect(
        vip.address,
        block.port,
        send=texts["send"],
        expect=texts["expect"],
        is_udp=False,
        uses_regex=nanny.uses_regex,
        timeout_s=timeout_s,
        is_strict=options.checks == "strict",
        reentry=1,
    )


def _places(block: LocalService) -> list[tuple[Place, ...]]:
    found = [*block.origins.values(), *block.nanny.origins.values()]
    if block.vip is not None:
        found.extend(block.vip.origins.values())
    return found
