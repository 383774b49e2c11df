"""Refuses to start beside a program that moves the same VIPs."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from drctl.adapters.rival import Rival, find_rivals
from drctl.daemon.config_reading import read_configuration
from drctl.errors import DrctlError
from drctl.model.configuration import Configuration
from drctl.units import ip_address


class RivalRuns(DrctlError):
    """Another program on this machine moves VIPs of ours, or may do so."""

    def __init__(self, rival: Rival, what: str) -> None:
        self.rival = rival
        way = "systemctl disable --now" if rival.program == "pulse" else "keepalived --check"
        hint = (
            f"stop it: {way} pulse"
            if rival.program == "pulse"
            else f"run {way} in its place, which leaves the VIPs to drctl"
        )
        super().__init__(f"cannot start beside {rival}: {what} ({hint})")


def check_rivals(vips: Collection[str], rivals: Sequence[Rival] | None = None) -> None:
    """RivalRuns when a program that runs here is configured with one of these addresses, or with
    a file that cannot be read."""
    for rival in find_rivals() if rivals is None else rivals:
        try:
            configuration = read_configuration(rival.path, rival.config_id).configuration
        except DrctlError as refused:
            raise RivalRuns(rival, f"what it manages is unknown: {refused}") from refused
        if common := sorted(_managed(configuration) & set(vips)):
            more = f" and {len(common) - 3} more" if len(common) > 3 else ""
            raise RivalRuns(rival, f"it manages {', '.join(common[:3])}{more} too")


def _managed(configuration: Configuration) -> set[str]:
    found = {ip_address(vip.address) or vip.address for vip in configuration.vips}
    pulse = configuration.pulse
    if pulse is not None and pulse.nat_router is not None:
        found.add(pulse.nat_router.address)
    return found
