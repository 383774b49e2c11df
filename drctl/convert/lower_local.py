"""fos services: local services of the active director, started and stopped with the VIPs.

pulse ran the check from the standby; keepalived runs a track script on the active director, and a
failure makes it give up the VIPs. All fos services move together in both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from drctl.convert.ledger import Ledger, Verdict
from drctl.convert.options import ConvertOptions
from drctl.convert.probe import (
    LONGEST_TIMEOUT_S,
    Job,
    Texts,
    decoded,
    note_regex_unused,
    program_command,
    send_expect_command,
)
from drctl.convert.writable import command_or_none
from drctl.model.configuration import Configuration
from drctl.model.origin import SELF
from drctl.model.service import LocalService
from drctl.model.vrrp import Track, TrackScript
from drctl.text.place import Place

FALL = 2
"""A service that has just been started gets one interval before its check counts."""


@dataclass(frozen=True, slots=True)
class LocalParts:
    """What fos services add to the instance: commands with their places, in the order of the
    blocks, and the checks."""

    starts: tuple[tuple[str, tuple[Place, ...]], ...] = ()
    stops: tuple[tuple[str, tuple[Place, ...]], ...] = ()
    scripts: tuple[TrackScript, ...] = ()
    tracks: tuple[Track, ...] = ()


def lower_local_services(
    configuration: Configuration, options: ConvertOptions, ledger: Ledger
) -> LocalParts:
    """Commands, scripts and tracks of all active failover blocks."""
    starts: list[tuple[str, tuple[Place, ...]]] = []
    stops: list[tuple[str, tuple[Place, ...]]] = []
    scripts: dict[str, TrackScript] = {}
    for block in configuration.local_services:
        if not block.is_active:
            for places in places_of_local_block(block):
                ledger.idle(places, "active is 0 or missing: fos skipped the block")
            continue
        _note_block(block, ledger)
        for command, name, found in (
            (block.start_command, "start_command", starts),
            (block.stop_command, "stop_command", stops),
        ):
            places = block.origins.get(name, ())
            if command and command_or_none(command, places, ledger) is not None:
                found.append((command, places))
                why = (
                    "pulse ran stop_cmd on entering either role and start_cmd after it; keepalived "
                    "runs the one on becoming backup, failing or stopping, the other as master"
                )
                ledger.note(places, Verdict.APPROXIMATED, why)
        script = _script(block, options, ledger, taken=set(scripts))
        if script is not None:
            scripts[script.name] = script
    tracks = tuple(
        Track("script", name, origins=script.origins) for name, script in scripts.items()
    )
    return LocalParts(tuple(starts), tuple(stops), tuple(scripts.values()), tracks)


def _note_block(block: LocalService, ledger: Ledger) -> None:
    head = (*block.origins[SELF], *block.origins.get("is_active", ()))
    if block.vip is not None:
        why = (
            "pulse checked the service from the standby and asked the default gateway before it "
            "took over; keepalived checks it where it runs. A failure moves all VIPs in both"
        )
        ledger.note(head, Verdict.APPROXIMATED, why)
        return
    why = "the block has no address, so there is no VIP and nothing to check"
    places = (*head, *block.origins.get("vip", ()), *block.origins.get("port", ()))
    ledger.note(places, Verdict.DROPPED, why, "add an address with a device")


def _script(
    block: LocalService, options: ConvertOptions, ledger: Ledger, taken: set[str]
) -> TrackScript | None:
    nanny = block.nanny
    if block.vip is None:
        for places in nanny.origins.values():
            ledger.note(places, Verdict.DROPPED, "the block has no address to check")
        return None
    ledger.idle(nanny.origins.get("reentry_ms", ()), "fos services are not re-entered")
    ledger.idle(nanny.origins.get("load_monitor", ()), "fos services have no weight to adapt")
    job = Job(nanny, block.vip.address, block.port, options, ledger, has_reentry=False)
    places = tuple(
        place
        for field in ("send", "expect", "program", "uses_regex")
        for place in nanny.origins.get(field, ())
    )
    return TrackScript(
        _free_name(block.name, taken),
        _where_the_vip_is(block.vip.address, _command(job)),
        interval_ms=job.timeout_s * 1000,
        timeout_ms=min(2 * job.timeout_s + 1, LONGEST_TIMEOUT_S) * 1000,
        fall=FALL,
        rise=1,
        origins={
            SELF: block.origins[SELF],
            "command": (*places, *block.origins.get("port", ())),
            "interval_ms": nanny.origins.get("timeout_ms", ()),
            "timeout_ms": nanny.origins.get("timeout_ms", ()),
        },
    )


def _free_name(name: str, taken: set[str]) -> str:
    """A name for a vrrp_script: one word, unique."""
    wanted = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:40] or "service"
    found, number = wanted, 1
    while found in taken:
        number += 1
        found = f"{wanted}_{number}"
    return found


def _command(job: Job) -> str:
    if not job.nanny.uses_regex:
        job.note("uses_regex", Verdict.EXACT, "off is what holds without the statement")
    if job.nanny.program is not None:
        found = program_command(job)
    else:
        texts = decoded(job)
        if texts is None or texts.expected is None:
            note_regex_unused(job)
        found = None if texts is None else send_expect_command(job, texts)
    if found is not None:
        return found
    nothing = replace(job, nanny=replace(job.nanny, uses_regex=False))
    command = send_expect_command(nothing, Texts(None, None))
    assert command is not None, "a command without texts is short"
    return command


def _where_the_vip_is(address: str, command: str) -> str:
    """The check counts on the director that holds the VIP only. Elsewhere it would ask the other
    director, and both would give up when the service fails."""
    return f"/bin/sh -c 'ip -o address show to {address} | grep -q inet || exit 0; exec {command}'"


def places_of_local_block(block: LocalService) -> list[tuple[Place, ...]]:
    """Places of every statement of a failover block that has a field."""
    found = [*block.origins.values(), *block.nanny.origins.values()]
    if block.vip is not None:
        found.extend(block.vip.origins.values())
    return found
