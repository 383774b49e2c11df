"""What has to be true on a real server, before any target's format: silent VIPs, addresses,
redirections, tunnels, ways back. Every line is there once, in order.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from drctl.model.origin import SELF, Origins
from drctl.model.service import MASQUERADE, TUNNEL
from drctl.render.host import Binding, Host
from drctl.render.host_address import family_of, order_key
from drctl.render.options import RenderOptions
from drctl.render.rendered import Loss
from drctl.text.place import Place

REDIRECTING = frozenset({"iptables", "nft-redirect"})
"""Methods that give the server no VIP."""

FTP_PORT = 21

_FIRST_TABLE = 5390


@dataclass(frozen=True, slots=True)
class Tunnel:
    """A tunnel's receiving device, which the kernel module makes when it is loaded."""

    device: str
    module: str


_IPV4_TUNNEL = Tunnel("tunl0", "ipip")
_TUNNELS = {
    (4, 4): _IPV4_TUNNEL,
    (6, 6): Tunnel("ip6tnl0", "ip6_tunnel"),
    (6, 4): Tunnel("sit0", "sit"),
}
"""By the families of the VIP and of the real server."""


@dataclass(frozen=True, slots=True)
class Silent:
    """An IPv4 VIP that nobody may learn from this server; `real_address` is what it asks with
    instead, empty when it is not known. Origins count in comparisons: equal lines look equal."""

    vip: str
    real_address: str
    places: tuple[Place, ...]

    @property
    def origins(self) -> Origins:
        return {SELF: self.places}


@dataclass(frozen=True, slots=True)
class VipAddress:
    """A VIP on a device of this server, `prefix` 32 or 128. `is_own`: it is the server's own
    address instead, on a tunnel's device that has no VIP."""

    vip: str
    device: str
    prefix: int
    places: tuple[Place, ...]
    is_own: bool = False

    @property
    def origins(self) -> Origins:
        return {SELF: self.places}


@dataclass(frozen=True, slots=True)
class Redirect:
    """Packets for a VIP that go to the server's own address: `target`, or when it is empty the
    address of the card. `port` 0 is all, `protocol` empty is every one."""

    vip: str
    protocol: str
    port: int
    target: str
    places: tuple[Place, ...]

    @property
    def family(self) -> int:
        return family_of(self.vip)

    @property
    def is_ftp(self) -> bool:
        """Whether the port is FTP's, whose passive data connections need the same."""
        return self.protocol == "tcp" and self.port == FTP_PORT

    @property
    def origins(self) -> Origins:
        return {SELF: self.places}


@dataclass(frozen=True, slots=True)
class WayBack:
    """The director's address that the answers of masqueraded services must pass. `table` is the
    routing table (and rule preference) for a server that also answers clients directly."""

    address: str
    real_address: str
    table: int
    places: tuple[Place, ...]

    @property
    def family(self) -> int:
        return family_of(self.address)

    @property
    def origins(self) -> Origins:
        return {SELF: self.places}


@dataclass(frozen=True, slots=True)
class Plan:
    """All of it. `is_standby`: the host is a director, so the redirections hold only while it
    does not have the VIP. `is_mixed`: it also answers clients directly beside masquerading."""

    method: str
    silent: tuple[Silent, ...] = ()
    addresses: tuple[VipAddress, ...] = ()
    redirects: tuple[Redirect, ...] = ()
    tunnels: tuple[Tunnel, ...] = ()
    ways_back: tuple[WayBack, ...] = ()
    is_standby: bool = False
    is_mixed: bool = False
    losses: tuple[Loss, ...] = ()

    @property
    def has_rules(self) -> bool:
        """Whether anything must hold before an address comes up."""
        return bool(self.silent or self.redirects or self.tunnels)

    @property
    def has_vips6(self) -> bool:
        """Whether the server holds an IPv6 VIP."""
        return any(line.prefix == 128 for line in self.addresses)

    @property
    def needs_vip_program(self) -> bool:
        """VIPs, or a tunnel's device that must be up for packets to come out of it."""
        return bool(self.addresses or self.tunnels)


def plan_of(host: Host, options: RenderOptions) -> Plan:
    """What `host` needs for the VIPs of its bindings."""
    is_standby = host.rank is not None
    method = options.arp
    if is_standby:
        method = "iptables" if options.marks == "iptables" else "nft-redirect"
    losses: list[Loss] = []
    direct = [b for b in host.bindings if b.method != MASQUERADE]
    if is_standby:
        losses.extend(_masqueraded_director(host))
    tunnelled = [b for b in direct if b.method == TUNNEL]
    devices = {id(b): _tunnel(b, losses) for b in tunnelled}
    usable = [b for b in direct if b.method != TUNNEL or devices[id(b)] is not None]
    tunnels = {t for t in devices.values() if t is not None}
    ways_back = tuple(
        WayBack(
            gateway.address, gateway.real_address, _FIRST_TABLE + index, _places(gateway.origins)
        )
        for index, gateway in enumerate(host.gateways)
    )
    redirects: tuple[Redirect, ...] = ()
    addresses: tuple[VipAddress, ...] = ()
    silent: tuple[Silent, ...] = ()
    if method in REDIRECTING:
        redirects = _redirects(usable, is_standby=is_standby)
    else:
        silent = _silent(usable, method, losses)
        if method == "sysctl":
            # whose switches name no address: all servers of a service have the same plan
            silent = tuple(Silent(line.vip, "", ()) for line in silent)
        addresses = _addresses(usable, {b.vip: devices[id(b)] for b in usable if id(b) in devices})
    addresses = (*addresses, *_own_addresses(usable, addresses, tunnels))
    return Plan(
        method=method,
        silent=silent,
        addresses=addresses,
        redirects=redirects,
        tunnels=tuple(sorted(tunnels, key=lambda t: t.device)),
        ways_back=ways_back if not is_standby else (),
        is_standby=is_standby,
        is_mixed=bool(ways_back and usable),
        losses=tuple(dict.fromkeys(losses)),
    )


def _tunnel(binding: Binding, losses: list[Loss]) -> Tunnel | None:
    kind = _tunnel_type(binding.options)
    if kind != "ipip":
        why = (
            f"the director wraps packets for {binding.vip} in {kind}; only the plain tunnel (ipip) "
            f"is set up on real servers"
        )
        losses.append(Loss("forwarding.tunnel-type", why, _places(binding.origins)))
        return None
    families = (binding.family, binding.real_family or binding.family)
    found = _TUNNELS.get(families)
    if found is None:
        why = (
            f"{binding.vip} would come through a tunnel between IPv6 addresses; no device of the "
            "kernel takes that by itself, make one (ip -6 tunnel add mode ipip6) by hand"
        )
        losses.append(Loss("forwarding.tunnel-family", why, _places(binding.origins)))
    return found


def _tunnel_type(options: tuple[str, ...]) -> str:
    words = [word for option in options for word in option.split()]
    for word, following in itertools.pairwise(words):
        if word == "type":
            return following
    return "ipip"


def _silent(bindings: Iterable[Binding], method: str, losses: list[Loss]) -> tuple[Silent, ...]:
    found: dict[str, Silent] = {}
    for binding in bindings:
        if binding.family != 4:
            continue
        real = binding.real_address if binding.real_family == 4 else None
        known = found.get(binding.vip)
        if known is None:
            found[binding.vip] = Silent(binding.vip, real or "", _places(binding.origins))
            continue
        places = tuple(dict.fromkeys((*known.places, *_places(binding.origins))))
        if real and known.real_address and real != known.real_address:
            why = (
                f"{binding.vip} comes to this server at {known.real_address} and at {real}; "
                f"its ARP requests carry {known.real_address} on every card"
            )
            losses.append(Loss("vip.two-real-addresses", why, places))
        found[binding.vip] = Silent(binding.vip, known.real_address or real or "", places)
    if method != "sysctl":
        for line in found.values():
            if not line.real_address:
                why = (
                    f"this server has no IPv4 address to ask with instead of {line.vip}; "
                    "it does not answer for it, but may announce it when it asks others"
                )
                losses.append(Loss("arp.announce", f"{why}; --arp sysctl can do both", line.places))
    return tuple(found.values())


def _addresses(
    bindings: Iterable[Binding], devices: dict[str, Tunnel | None]
) -> tuple[VipAddress, ...]:
    """Each VIP once: on the tunnel's device when all its packets come through the tunnel."""
    found: dict[str, VipAddress] = {}
    for binding in bindings:
        tunnel = devices.get(binding.vip) if binding.method == TUNNEL else None
        device = "lo" if tunnel is None else tunnel.device
        known = found.get(binding.vip)
        places = _vip_places(binding)
        if known is not None:
            device = device if device == known.device else "lo"
            places = tuple(dict.fromkeys((*known.places, *places)))
        prefix = 32 if binding.family == 4 else 128
        found[binding.vip] = VipAddress(binding.vip, device, prefix, places)
    return tuple(found.values())


def _own_addresses(
    bindings: Iterable[Binding], addresses: tuple[VipAddress, ...], tunnels: set[Tunnel]
) -> tuple[VipAddress, ...]:
    """The server's own address for a tunl0 without a VIP: on a device without any address the
    kernel checks the path back strictly, whatever rp_filter says (__fib_validate_source)."""
    if _IPV4_TUNNEL not in tunnels or any(a.device == _IPV4_TUNNEL.device for a in addresses):
        return ()
    for binding in bindings:
        real = binding.real_address
        if binding.method == TUNNEL and real is not None and binding.real_family == 4:
            places = _places(binding.origins)
            return (VipAddress(real, _IPV4_TUNNEL.device, 32, places, is_own=True),)
    return ()


def _redirects(bindings: Iterable[Binding], *, is_standby: bool) -> tuple[Redirect, ...]:
    """One line for each VIP, protocol and port; a line for all ports covers the single ones."""
    found: dict[tuple[str, str, int], Redirect] = {}
    for binding in bindings:
        same_family = binding.real_family == binding.family
        is_named = is_standby or binding.method == TUNNEL
        target = (binding.real_address or "") if is_named and same_family else ""
        for port in binding.ports:
            number = port.number if port.protocol else 0
            key = binding.vip, port.protocol, number
            places = _places(binding.origins) if target else _vip_places(binding)
            if key in found:
                places = tuple(dict.fromkeys((*found[key].places, *places)))
                target = found[key].target or target
            found[key] = Redirect(binding.vip, port.protocol, number, target, places)
    kept = [
        line
        for (vip, protocol, number), line in found.items()
        if not (protocol and (vip, "", 0) in found) and not (number and (vip, protocol, 0) in found)
    ]
    return tuple(sorted(kept, key=lambda r: (order_key(r.vip), r.protocol, r.port)))


def _masqueraded_director(host: Host) -> list[Loss]:
    return [
        Loss(
            "director.masqueraded",
            f"director {host.name} is a masqueraded real server of {binding.vip}: while the other "
            "one is active its answers would have to pass that one, and a director's own way out "
            "is not changed; use direct routing for it",
            _places(binding.origins),
        )
        for binding in host.bindings
        if binding.method == MASQUERADE
    ]


def _places(origins: Origins) -> tuple[Place, ...]:
    return origins.get(SELF, ())


def _vip_places(binding: Binding) -> tuple[Place, ...]:
    """For lines that say nothing of the server, so that equal servers' lines are equal."""
    return binding.origins.get("vip", binding.origins.get(SELF, ()))
