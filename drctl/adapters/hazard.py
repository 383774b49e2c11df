"""What of this host makes failover impossible, or unsafe: questions to the kernel, with findings.

Facts: Documentation/networking/ip-sysctl.rst; net/ipv4/devinet.c and net/ipv4/arp.c, which take the
larger of `all` and the interface's own value of arp_ignore, and either of the two for proxy_arp and
promote_secondaries.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from drctl.adapters.addresses import SCOPES, LinkState, Present, scope_number
from drctl.core.value import Vip
from drctl.errors import FileRefused

_SYSCTL = Path("/proc/sys/net")
_NO_REPLY_AT_ALL = 8

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Finding:
    """Something found; the daemon does not start on one that `is_refused`."""

    is_refused: bool
    text: str


@dataclass(frozen=True)
class Host:
    """What is asked about: this host's links and its own addresses, by now."""

    links: Mapping[str, LinkState]
    present: Sequence[Present]
    has_fence: bool


def findings(vips: Sequence[Vip], host: Host) -> list[Finding]:
    """All findings about these VIPs, each once."""
    found: list[Finding] = []
    for interface in sorted({vip.interface for vip in vips}):
        mine = [vip for vip in vips if vip.interface == interface]
        link = host.links.get(interface)
        if link is None:
            found.append(Finding(True, f"{interface} does not exist"))
            continue
        found += _about_link(link)
        if any(not vip.is_v6 for vip in mine):
            found += about_arp(interface, mine, host)
            found += about_scopes(interface, mine, host)
        if any(vip.is_v6 for vip in mine):
            found += about_ipv6(interface, has_fence=host.has_fence)
        found += about_subnets(mine, host)
    return found


def _about_link(link: LinkState) -> list[Finding]:
    if not link.has_arp:
        return [Finding(True, f"{link.interface} is set to noarp: no VIP on it is ever answered")]
    if len(link.mac) != len("00:00:00:00:00:00"):
        return [Finding(True, f"{link.interface} is no Ethernet: it has no ARP")]
    return []


def about_arp(interface: str, vips: Sequence[Vip], host: Host) -> list[Finding]:
    """Settings under which ARP requests for a VIP are not answered, or answered by everybody."""
    found = []
    ignore = max(_ipv4(name, "arp_ignore") for name in ("all", interface))
    if ignore == _NO_REPLY_AT_ALL:
        text = f"arp_ignore is 8 on {interface}: no address is answered, 0 to 2 is needed"
        found.append(Finding(True, text))
    elif ignore == 2:
        # the kernel answers whom one subnet of the interface holds together with the VIP
        around = _subnets([each for each in host.present if each.interface == interface])
        lone = [
            vip.address
            for vip in vips
            if not vip.is_v6 and vip.prefix == 32 and not _holding(vip.address, around)
        ]
        if lone:
            text = f"arp_ignore is 2 on {interface}: {lone[0]}/32 is in no subnet there"
            found.append(Finding(True, text + ", and answered to nobody"))
    elif ignore == 3:
        hidden = [vip.address for vip in vips if not vip.is_v6 and vip.scope == "host"]
        if hidden:
            text = (
                f"arp_ignore is 3 on {interface}: {hidden[0]} has scope host, and is not answered"
            )
            found.append(Finding(True, text))
    if any(_ipv4(name, "proxy_arp") for name in ("all", interface)):
        text = f"proxy_arp is 1 on {interface}: a standby may answer for the VIPs"
        words = ", only the fence hinders it" if host.has_fence else ""
        found.append(Finding(not host.has_fence, text + words))
    return found


def about_scopes(interface: str, vips: Sequence[Vip], host: Host) -> list[Finding]:
    """IPv4 VIPs that the kernel takes beside no other address of their subnet on the interface,
    since all that are equally long have one scope."""
    names = {vip.address for vip in vips}
    entries = [
        (each.address, each.prefix, each.scope, False)
        for each in host.present
        if each.interface == interface and ":" not in each.address and each.address not in names
    ]
    entries += [(vip.address, vip.prefix, scope_number(vip), True) for vip in vips if not vip.is_v6]
    first: dict[object, tuple[str, int]] = {}
    found = []
    for address, prefix, scope, is_vip in entries:
        network = ipaddress.ip_interface(f"{address}/{prefix}").network
        before, wanted = first.setdefault(network, (address, scope))
        if is_vip and scope != wanted and prefix < 32:
            text = f"{address}/{prefix} is to have scope {_scope_name(scope)} on {interface}, but "
            text += f"{before} has {_scope_name(wanted)}: the kernel takes one scope for a subnet"
            found.append(Finding(True, text))
    return found


def _scope_name(number: int) -> str:
    return next((name for name, of in SCOPES.items() if of == number and name), str(number))


def about_ipv6(interface: str, *, has_fence: bool) -> list[Finding]:
    """The same for IPv6."""
    if not _path("ipv6", interface, "disable_ipv6").exists():
        return [Finding(True, f"this kernel has no IPv6 on {interface}")]
    if _number(_path("ipv6", interface, "disable_ipv6")):
        return [Finding(True, f"disable_ipv6 is 1 on {interface}: it takes no IPv6 VIP")]
    if any(_number(_path("ipv6", name, "proxy_ndp")) for name in ("all", interface)):
        text = f"proxy_ndp is 1 on {interface}: a standby may answer for the VIPs"
        return [Finding(not has_fence, text)]
    return []


def about_subnets(vips: Sequence[Vip], host: Host) -> list[Finding]:
    """VIPs that stations look for on another interface than the one that they are to lie on."""
    names = {vip.address for vip in vips}
    subnets = _subnets([each for each in host.present if each.address not in names])
    found = []
    for vip in vips:
        at = _holding(vip.address, subnets)
        if at and vip.interface not in at:
            text = f"{vip.address} is to lie on {vip.interface}, but its subnet is on "
            found.append(Finding(False, text + ", ".join(sorted(at))))
    return found


def subnets_at_risk(vips: Sequence[Vip], present: Sequence[Present]) -> list[str]:
    """Interfaces on which an expiring VIP would take other addresses along.

    That is where an IPv4 VIP may become the primary address of a subnet, which it shares with
    another VIP or an address of this host, and promote_secondaries is off.
    """
    found = []
    own = [(each.interface, f"{each.address}/{each.prefix}") for each in present]
    known = {*own, *((vip.interface, f"{vip.address}/{vip.prefix}") for vip in vips)}
    for interface in sorted({vip.interface for vip in vips if not vip.is_v6}):
        shared: dict[object, set[str]] = {}
        for where, text in known:
            if where == interface and ":" not in text:
                shared.setdefault(ipaddress.ip_interface(text).network, set()).add(text)
        subnets = {
            ipaddress.ip_interface(f"{vip.address}/{vip.prefix}").network
            for vip in vips
            if vip.interface == interface and not vip.is_v6
        }
        if not _promotes(interface) and any(len(shared[subnet]) > 1 for subnet in subnets):
            found.append(interface)
    return found


def without_promotion(vips: Sequence[Vip]) -> list[str]:
    """Interfaces with an IPv4 VIP that can be the primary address of a subnet, and on which
    promote_secondaries is off."""
    interfaces = {vip.interface for vip in vips if not vip.is_v6 and vip.prefix < 32}
    return [interface for interface in sorted(interfaces) if not _promotes(interface)]


def _promotes(interface: str) -> bool:
    return any(_ipv4(name, "promote_secondaries") for name in ("all", interface))


def promote_secondaries(interface: str) -> None:
    """Have the kernel keep the other addresses of a subnet when its primary one goes."""
    path = _path("ipv4", interface, "promote_secondaries")
    try:
        path.write_text("1\n", "ascii")
    except OSError as cause:
        raise FileRefused("write", str(path), cause) from cause


def _subnets(present: Iterable[Present]) -> list[tuple[Network, str]]:
    """Subnets of more than one address, and the interface that each is on."""
    found = []
    for each in present:
        network = ipaddress.ip_interface(f"{each.address}/{each.prefix}").network
        if 0 < network.prefixlen < network.max_prefixlen:
            found.append((network, each.interface))
    return found


def _holding(address: str, subnets: Iterable[tuple[Network, str]]) -> set[str]:
    """Interfaces of the subnets that an address is in."""
    wanted = ipaddress.ip_address(address)
    return {interface for network, interface in subnets if wanted in network}


def _path(family: str, interface: str, name: str) -> Path:
    return _SYSCTL / family / "conf" / interface / name


def _ipv4(interface: str, name: str) -> int:
    return _number(_path("ipv4", interface, name))


def _number(path: Path) -> int:
    try:
        return int(path.read_text("ascii"))
    except OSError as cause:
        raise FileRefused("read", str(path), cause) from cause
