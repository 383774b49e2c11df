"""Which VIP of the directors a masqueraded real server must answer through."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address, ip_network

from drctl.model.configuration import Configuration
from drctl.model.origin import NO_ORIGINS, SELF, Origins
from drctl.model.vrrp import Vip
from drctl.quickclass import dataclass, field
from drctl.render.host_address import canonical
from drctl.render.rendered import Loss
from drctl.text.place import Place

_NEAR_PREFIX = {4: 24, 6: 64}
"""How near a gateway without a network must be to the real server to be taken for its own."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """The VIP that a masqueraded real server must answer through."""

    address: str
    real_address: str
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


class Gateways:
    """VIPs of the directors that a masqueraded real server can answer through."""

    def __init__(self, views: list[Configuration], vips: Mapping[str, Vip]) -> None:
        served = {
            canonical(text)
            for view in views
            for service in view.services
            for text in (service.address, *(rule.address for rule in service.mark_rules))
            if text is not None
        }
        usual = sorted(vips.items(), key=lambda item: item[0] in served)
        self._free = [text for text, _ in usual if text not in served]
        self._vips = vips
        self._networks = [
            (ip_network(f"{text}/{vip.prefix}", strict=False), text)
            for text, vip in usual
            if vip.prefix is not None and vip.prefix < ip_address(text).max_prefixlen
        ]

    def of(self, real_address: str, places: tuple[Place, ...]) -> Gateway | Loss:
        """A VIP in the server's network, one that is no service's if there is a choice."""
        real = ip_address(real_address)
        for network, text in self._networks:
            if real in network:
                return self._gateway(text, real_address)
        near = ip_network(f"{real}/{_NEAR_PREFIX[real.version]}", strict=False)
        close = [text for text in self._free if ip_address(text) in near]
        if len(close) == 1:
            return self._gateway(close[0], real_address)
        why = (
            f"no VIP of the directors lies in the network of {real_address}, so its default route, "
            "which must lead to the active director for masquerading, is not written: set it by "
            "hand"
        )
        return Loss("gateway", why, places)

    def _gateway(self, text: str, real_address: str) -> Gateway:
        vip = self._vips[text]
        places = vip.origins.get(SELF) or vip.origins.get("address", ())
        return Gateway(text, real_address, {SELF: places})
