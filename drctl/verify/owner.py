"""Whose a MAC is: by the addresses that it answers for, each known to be some host's own."""

from __future__ import annotations

from collections.abc import Sequence

from drctl.quickclass import dataclass
from drctl.verify.value import How, Role, Station, Survey

VIRTUAL_MACS = ("00:00:5e:00:01:", "00:00:5e:00:02:")
"""VRRP's own hardware addresses (RFC 5798 7.3); the last byte is the virtual router's id."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A machine. `addresses` are its own that were asked for, `vips` what it serves. `host` is what
    the configuration calls it; a machine that it knows by several addresses, and does not know to
    be one, has the name of the first."""

    host: str
    role: Role
    rank: int = 0
    addresses: tuple[str, ...] = ()
    vips: tuple[str, ...] = ()


class Owners:
    """The machines of a survey."""

    def __init__(self, survey: Survey) -> None:
        self._proxies = survey.proxies
        self._claims: dict[str, list[Station]] = {}
        self._macs: dict[str, list[str]] = {}
        self._others: dict[str, list[str]] = {}
        stations: dict[str, list[Station]] = {}
        for station in survey.stations:
            stations.setdefault(station.address, []).append(station)
        vips = {target.vip for target in survey.targets}
        for one in survey.sightings:
            if one.how not in {How.REPLY, How.SOURCE}:
                continue
            for station in stations.get(one.address, ()):
                self._claim(one.mac, station)
            if one.address not in stations and one.address not in vips:
                self._others.setdefault(one.mac, []).append(one.address)
        here = survey.here
        for mac in here.macs:
            if here.host:
                self._claim(mac, Station("", "", here.host, here.role, rank=here.rank))
        self._known = {mac: self._find(mac) for mac in self._claims}
        # a card that has no address of its own that was asked for
        self._tied = {
            mac: other
            for mac, other in sorted(survey.ties)
            if mac not in self._known and self._known.get(other) is not None
        }

    def _claim(self, mac: str, station: Station) -> None:
        claimed = self._claims.setdefault(mac, [])
        if station not in claimed:
            claimed.append(station)
        macs = self._macs.setdefault(station.address or station.host, [])
        if mac not in macs:
            macs.append(mac)

    def of(self, mac: str) -> Owner | None:
        """The machine with this MAC. A router by proxy ARP, which answers for many, is none."""
        return self._known.get(self._tied.get(mac, mac))

    def is_tied(self, mac: str) -> bool:
        """Whether it is known by the way in which its machine answers, and not by an address."""
        return mac in self._tied

    def _find(self, mac: str) -> Owner | None:
        """A machine may have an address of each family, or some, without the configuration saying
        that it is one; it may also answer for what is somebody else's."""
        claimed = self._claims[mac]
        is_proxy = mac in self._proxies
        if is_proxy or not _may_be_one(claimed):
            claimed = [one for one in claimed if self._is_only_holder(mac, one)]
        if is_proxy and not all(one.role is Role.REAL_SERVER for one in claimed):
            return None
        if not claimed or (is_proxy and not _may_be_one(claimed)):
            return None
        # a director may be a real server too
        first = min(claimed, key=lambda one: one.role is not Role.DIRECTOR)
        return Owner(
            first.host,
            first.role,
            first.rank,
            tuple(one.address for one in claimed if one.address),
            tuple(dict.fromkeys(vip for one in claimed for vip in one.vips)),
        )

    def _is_only_holder(self, mac: str, station: Station) -> bool:
        return self._macs[station.address or station.host] == [mac]

    def macs(self, owner: Owner) -> Sequence[str]:
        """The MACs of a machine, in the order heard."""
        return [mac for mac, known in self._known.items() if known and known.host == owner.host]

    def disputed(self) -> list[tuple[str, Station, list[str]]]:
        """Addresses of hosts that machines of others answer for too: address, host, and MACs."""
        found: dict[str, tuple[str, Station, list[str]]] = {}
        for claimed in self._claims.values():
            for station in claimed:
                macs = self._macs[station.address or station.host]
                hosts = {known.host if (known := self.of(mac)) else mac for mac in macs}
                if len(hosts) > 1:
                    found.setdefault(station.address, (station.address, station, macs))
        return list(found.values())

    def describe(self, mac: str) -> str:
        """What an unknown MAC is known by."""
        if mac.startswith(VIRTUAL_MACS):
            return f"{mac} (virtual router {int(mac[-2:], 16)})"
        addresses = sorted(set(self._others.get(mac, ())))
        names = sorted({one.host for one in self._claims.get(mac, ())})
        about = ", ".join([*names, *addresses][:4])
        return f"{mac} ({about})" if about else mac


def _may_be_one(stations: Sequence[Station]) -> bool:
    """Whether of each family there is one host at most."""
    hosts = {(":" in one.address, one.host) for one in stations}
    return len(hosts) == len({is_v6 for is_v6, _ in hosts})
