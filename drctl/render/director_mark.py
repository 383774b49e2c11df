"""The rules that give packets their firewall mark, which lvs.cf and keepalived.conf leave out."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from drctl.model.configuration import Configuration
from drctl.model.origin import SELF, Origins
from drctl.model.service import MarkRule, VirtualService
from drctl.render.host import canonical
from drctl.render.real_server_plan import FTP_PORT
from drctl.render.rendered import Loss
from drctl.text.place import Place


@dataclass(frozen=True, slots=True)
class MarkLine:
    """One rule: packets for `address` (canonical), `protocol` and `port` (0: all) get `mark`."""

    address: str
    protocol: str
    port: int
    mark: int
    places: tuple[Place, ...] = ()

    @property
    def family(self) -> int:
        """4 or 6."""
        return ip_address(self.address).version

    @property
    def is_ftp(self) -> bool:
        """Whether the port is FTP's, whose data connections need the mark too."""
        return self.protocol == "tcp" and self.port == FTP_PORT

    @property
    def origins(self) -> Origins:
        """For the template's `at`."""
        return {SELF: self.places}


@dataclass(frozen=True, slots=True)
class MarkPlan:
    """All rules in the order they must have: one for all ports before those of single ports, since
    the last one that matches gives the mark."""

    lines: tuple[MarkLine, ...]
    losses: tuple[Loss, ...]

    def of_family(self, family: int) -> tuple[MarkLine, ...]:
        """The rules of IPv4 or IPv6."""
        return tuple(line for line in self.lines if line.family == family)


def marks_of(configuration: Configuration) -> MarkPlan:
    """Each rule once; what cannot be written is a loss."""
    lines: dict[tuple[str, str, int], MarkLine] = {}
    losses: list[Loss] = []
    for service in configuration.services:
        if service.mark is None or not service.is_active:
            continue
        if not service.mark_rules:
            losses.append(_without_rule(service.mark, service.origins))
        for rule in service.mark_rules:
            _take(service, rule, lines, losses)
    for group in configuration.service_groups:
        losses.extend(
            _without_rule(entry.mark, entry.origins)
            for entry in group.entries
            if entry.mark is not None
        )
    order = sorted(lines, key=lambda key: (key[0], key[1], key[2] != 0))
    return MarkPlan(tuple(lines[key] for key in order), tuple(dict.fromkeys(losses)))


def _take(
    service: VirtualService,
    rule: MarkRule,
    lines: dict[tuple[str, str, int], MarkLine],
    losses: list[Loss],
) -> None:
    assert service.mark is not None, "the caller looked"
    places = tuple(rule.origins.get(SELF, ()))
    address = canonical(rule.address)
    if address is None:
        why = (
            f"{rule.address} is a host name, so no rule that gives mark {service.mark} to its "
            "packets is written"
        )
        losses.append(Loss("mark.name", why, places))
        return
    key = address, rule.protocol, rule.port or 0
    known = lines.setdefault(key, MarkLine(*key, service.mark, places))
    if known.mark != service.mark:
        where = f"{address} {rule.protocol} port {rule.port or 'any'}"
        why = (
            f"{where} has mark {known.mark} already, and a packet has one mark: mark "
            f"{service.mark} gets nothing from this address"
        )
        losses.append(Loss("mark.taken", why, places))


def _without_rule(mark: int, origins: Origins) -> Loss:
    why = (
        f"nothing here says which packets have mark {mark}: the rules that give it must be on both "
        "directors"
    )
    return Loss("mark.rule", why, tuple(origins.get(SELF, ())))
