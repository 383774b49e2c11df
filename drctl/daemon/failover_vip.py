"""A VIP as the kernel is to hold it, out of a line of virtual_ipaddress."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, ip_address
from itertools import pairwise

from drctl.adapters.addresses import LONGEST_LABEL_BYTES, SCOPES
from drctl.core.value import Vip
from drctl.model.vrrp import Vip as ModelVip
from drctl.units import ip_address as canonical

_LONGEST_PREFIX_WITH_BROADCAST = 30


def vip_of(vip: ModelVip, card: str | None) -> Vip:
    """The VIP, on the instance's card where it names none. ValueError has the reason why the
    address can be none, or why the kernel would not take what is said of it."""
    address = canonical(vip.address)
    if address is None:
        raise ValueError(f"{vip.address} is no IP address")
    device = vip.device or card
    if not device:
        raise ValueError(f"{address} has no interface, neither of its own nor the instance's")
    if (kind := _no_vip(address)) is not None:
        raise ValueError(f"{address} can be no VIP, it is {kind}")
    options = dict(pairwise((*vip.options, "")))
    broadcast = options.get("brd", options.get("broadcast", ""))
    if ":" in address:
        if broadcast:
            raise ValueError(f"{address} can have no broadcast address, which IPv6 has not")
        # keepalived takes no notice of labels and scopes of IPv6 addresses, nor does the kernel
        return Vip(address, 128 if vip.prefix is None else vip.prefix, device)
    prefix = 32 if vip.prefix is None else vip.prefix
    label = vip.label or ""
    if len(label.encode()) > LONGEST_LABEL_BYTES:
        most = f"longer than {LONGEST_LABEL_BYTES} bytes"
        raise ValueError(f"the label {label} of {address} is {most}")
    return Vip(
        address,
        prefix,
        device,
        label,
        _scope(options.get("scope", ""), address),
        _broadcast(broadcast, f"{address}/{prefix}"),
    )


def _scope(text: str, address: str) -> str:
    """A name that the kernel's adapter knows, or a number in decimal."""
    if text in SCOPES:
        return text
    try:
        number = int(text, 0)
    except ValueError:
        number = -1
    if not 0 <= number <= 255:
        known = ", ".join(filter(None, SCOPES))
        raise ValueError(f"{address} has the unknown scope {text}: {known}, or 0 to 255")
    return str(number)


def _broadcast(text: str, where: str) -> str:
    """As keepalived reads it: `+` has the bits of hosts set, `-` has them clear, and neither
    counts where there are hardly any."""
    if text not in {"+", "-"}:
        try:
            return str(IPv4Address(text)) if text else ""
        except ValueError:
            raise ValueError(f"{where} has the broadcast address {text}, which is none") from None
    network = IPv4Interface(where).network
    if network.prefixlen > _LONGEST_PREFIX_WITH_BROADCAST:
        return ""
    return str(network.broadcast_address if text == "+" else network.network_address)


def _no_vip(address: str) -> str | None:
    """Why no host can have the address for others, None when it can."""
    made = ip_address(address)
    for is_so, kind in (
        (made.is_multicast, "a multicast address"),
        (made.is_loopback, "a loopback address"),
        (made.is_unspecified, "no address of a host"),
    ):
        if is_so:
            return kind
    return None
