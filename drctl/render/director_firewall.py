"""What a director's firewall must let in: the other director's VRRP and connection sync.

Without VRRP both directors become active. Numbers: RFC 5798 (VRRP 112), RFC 4302 (AH 51); the
kernel's ip_vs_sync.c (224.0.0.81, UDP 8848).
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from drctl.model.configuration import Configuration
from drctl.model.origin import SELF, Origins
from drctl.model.pair import SyncDaemon
from drctl.model.vrrp import VrrpInstance
from drctl.render.host import canonical
from drctl.text.place import Place

VRRP, AH, UDP = 112, 51, 17
SYNC_GROUP = "224.0.0.81"
SYNC_PORT = 8848
_NAMES = {VRRP: "vrrp", AH: "ah", UDP: "udp"}


@dataclass(frozen=True, slots=True)
class Opening:
    """Packets of an IP protocol that must come in: from `source`, or on `interface`, to `group`
    (empty: any); `port` is UDP's."""

    family: int
    protocol: int
    source: str = ""
    interface: str = ""
    group: str = ""
    port: int = 0
    places: tuple[Place, ...] = ()

    @property
    def protocol_name(self) -> str:
        """As /etc/protocols has it."""
        return _NAMES[self.protocol]

    @property
    def origins(self) -> Origins:
        """For the template's `at`."""
        return {SELF: self.places}


def openings_of(configuration: Configuration) -> tuple[Opening, ...]:
    """Each once, VRRP first."""
    found: dict[Opening, None] = {}
    for instance in configuration.instances:
        found.update(dict.fromkeys(_of_instance(instance)))
    sync = configuration.settings.sync_daemon
    if sync is not None and sync.interface is not None:
        found[_of_sync(sync)] = None
    seen: dict[tuple[object, ...], Opening] = {}
    for line in found:
        key = line.family, line.protocol, line.source, line.interface, line.group, line.port
        seen.setdefault(key, line)
    return tuple(seen.values())


def _of_instance(instance: VrrpInstance) -> list[Opening]:
    authentication = instance.authentication
    is_ah = authentication is not None and authentication.kind == "AH"
    protocol = AH if is_ah else VRRP
    places = tuple(instance.origins.get(SELF, ()))
    peers = [peer for one in instance.unicast_peers if (peer := canonical(one.address))]
    if peers:
        return [
            Opening(ip_address(peer).version, protocol, source=peer, places=places)
            for peer in peers
        ]
    if instance.interface is None:
        return []
    return [Opening(_family(instance), protocol, interface=instance.interface, places=places)]


def _family(instance: VrrpInstance) -> int:
    """An instance speaks the IP version of its first VIP."""
    for text in (instance.unicast_source, *(vip.address for vip in instance.vips)):
        address = canonical(text or "")
        if address is not None:
            return ip_address(address).version
    return 4


def _of_sync(sync: SyncDaemon) -> Opening:
    group = canonical(sync.multicast_group or SYNC_GROUP) or SYNC_GROUP
    return Opening(
        ip_address(group).version,
        UDP,
        interface=sync.interface or "",
        group=group,
        port=sync.port or SYNC_PORT,
        places=tuple(sync.origins.get(SELF, ())),
    )
