"""Looks whether this host can hold the VIPs without harm to itself; makes it so where it can."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from drctl.adapters.addresses import Addresses, Present
from drctl.adapters.hazard import Host as Asked
from drctl.adapters.hazard import (
    findings,
    promote_secondaries,
    subnets_at_risk,
    without_promotion,
)
from drctl.core.value import Vip
from drctl.daemon.failover_group import GroupParts
from drctl.daemon.host import Host
from drctl.daemon.problem import ConfigRefused, Problem
from drctl.errors import DrctlError, FileRefused

log = logging.getLogger("drctl")


def check_cards(parts: Sequence[GroupParts], host: Host) -> None:
    """Raises ConfigRefused with each card that VIPs are to lie on and that is not there."""
    missing = []
    for part in parts:
        for vip in {vip.interface: vip for vip in reversed(part.group.vips)}.values():
            if host.get(vip.interface) is None:
                place = part.place_of(vip.address)
                why = f"{vip.interface} does not exist on this host, and is to have {vip.address}"
                path, line = (place.path, place.line) if place else ("", 0)
                missing.append(Problem(path, line, why))
    if missing:
        raise ConfigRefused(missing)


def check_host(
    vips: Sequence[Vip], addresses: Addresses, *, has_fence: bool, is_trial: bool = False
) -> None:
    """Before VIPs are held for the first time, at a start, after a reload, or on a card that was
    made anew. Their interfaces are what the kernel calls them. Raises DrctlError with all that
    stands against it; what is less than that is logged. On a trial no setting is changed."""
    links = {link.device: link for link in addresses.links()}
    present = _by_device(addresses)
    found = findings(vips, Asked(links, present, has_fence))
    refusals = [one.text for one in found if one.is_refused]
    for one in found:
        if not one.is_refused:
            log.warning("hazard text=%r", one.text)
    if refusals:
        raise DrctlError("\n".join(refusals))
    if not is_trial:
        _keep_own_addresses(vips, present)


def _by_device(addresses: Addresses) -> list[Present]:
    devices = {link.interface: link.device for link in addresses.links()}
    return [
        replace(one, interface=devices.get(one.interface, one.interface))
        for one in addresses.observed()
    ]


def _keep_own_addresses(vips: Sequence[Vip], present: Sequence[Present]) -> None:
    """No address of the host goes when the lease of a VIP ends, also none that comes later."""
    at_risk = subnets_at_risk(vips, present)
    for interface in without_promotion(vips):
        try:
            promote_secondaries(interface)
        except FileRefused as refused:
            what = f"{interface}: other addresses go when the lease of a VIP ends"
            if interface in at_risk:
                hint = f"sysctl -w net.ipv4.conf.{interface}.promote_secondaries=1"
                raise DrctlError(f"{what}, and {refused} ({hint})") from refused
            log.warning("hazard text=%r", f"{what} which share its subnet: {refused}")
        else:
            log.info("setting_changed name=promote_secondaries interface=%s value=1", interface)
