"""Looks whether this host can hold the VIPs without harm to itself; makes it so where it can."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from drctl.adapters.addresses import Addresses
from drctl.adapters.hazard import (
    Host,
    findings,
    promote_secondaries,
    subnets_at_risk,
    without_promotion,
)
from drctl.core.value import Vip
from drctl.errors import DrctlError, FileRefused

log = logging.getLogger("drctl")


def check_host(vips: Sequence[Vip], addresses: Addresses, *, has_fence: bool) -> None:
    """Before VIPs are held for the first time, at a start or after a reload. Raises DrctlError with
    all that stands against it; what is less than that is logged."""
    links = {link.interface: link for link in addresses.links()}
    found = findings(vips, Host(links, addresses.observed(), has_fence))
    refusals = [one.text for one in found if one.is_refused]
    for one in found:
        if not one.is_refused:
            log.warning("hazard text=%r", one.text)
    if refusals:
        raise DrctlError("\n".join(refusals))
    _keep_own_addresses(vips, addresses)


def _keep_own_addresses(vips: Sequence[Vip], addresses: Addresses) -> None:
    """No address of the host goes when the lease of a VIP ends, also none that comes later."""
    at_risk = subnets_at_risk(vips, addresses.observed())
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
