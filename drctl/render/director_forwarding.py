"""What masquerading needs of a director's kernel; the other forwarding methods need nothing."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from drctl.model.configuration import Configuration
from drctl.model.origin import SELF, Origins
from drctl.model.service import (
    MASQUERADE,
    Forwarding,
    RealServer,
    SorryServer,
    VirtualService,
)
from drctl.render.host import canonical
from drctl.render.real_server_plan import FTP_PORT
from drctl.text.place import Place

_KEYS = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}


@dataclass(frozen=True, slots=True)
class Need:
    """Places of the services that need it."""

    places: tuple[Place, ...]

    @property
    def origins(self) -> Origins:
        """For the template's `at`."""
        return {SELF: self.places}


@dataclass(frozen=True, slots=True)
class ForwardingNeeds:
    """IP versions that must be forwarded, with the services that ask for it; `ftp` is set when
    one of them is FTP."""

    families: dict[int, Need]
    ftp: Need | None

    @property
    def keys(self) -> tuple[str, ...]:
        """The kernel settings' names."""
        return tuple(_KEYS[family] for family in self.families)

    @property
    def settings(self) -> tuple[tuple[int, str, Need], ...]:
        """IP version, setting, who needs it."""
        return tuple((family, _KEYS[family], need) for family, need in self.families.items())


def forwarding_of(configuration: Configuration) -> ForwardingNeeds:
    """What the masqueraded services of one director's view need."""
    families: dict[int, dict[Place, None]] = {}
    ftp: dict[Place, None] | None = None
    for service in configuration.services:
        if not service.is_active:
            continue
        places = dict.fromkeys(service.origins.get(SELF, ()))
        for server in _servers(service):
            method = (server.forwarding or service.forwarding or Forwarding(MASQUERADE)).method
            if method != MASQUERADE:
                continue
            address = canonical(service.address or "") or canonical(server.address)
            family = 4 if address is None else ip_address(address).version
            families.setdefault(family, {}).update(places)
            if _is_ftp(service):
                ftp = {**(ftp or {}), **places}
    return ForwardingNeeds(
        {family: Need(tuple(families[family])) for family in sorted(families)},
        None if ftp is None else Need(tuple(ftp)),
    )


def _servers(service: VirtualService) -> list[RealServer | SorryServer]:
    found: list[RealServer | SorryServer] = [s for s in service.real_servers if s.is_active]
    if service.sorry_server is not None:
        found.append(service.sorry_server)
    return found


def _is_ftp(service: VirtualService) -> bool:
    if service.mark is not None:
        return any(rule.port == FTP_PORT for rule in service.mark_rules)
    return service.port == FTP_PORT and service.protocol in {"tcp", None}
