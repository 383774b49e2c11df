"""What may be chosen in rendering a pair and its real servers."""

from __future__ import annotations

from dataclasses import dataclass

ARP_METHODS = ("sysctl", "arptables", "arptables_jf", "nftables", "iptables", "nft-redirect")
"""How a real server keeps silent about a VIP; the last two give it no VIP at all."""

NETS = ("systemd", "networkd", "networkmanager", "ifcfg", "ifupdown")
"""What brings the VIP up at boot: a systemd unit of ours, systemd-networkd, a NetworkManager
keyfile, ifcfg files of network-scripts, ifupdown."""

MARKS = ("nftables", "iptables")
"""How a director marks the packets of a service that is a mark."""


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """Choices of one rendering. `source` is the base name of the file it all came from."""

    source: str
    arp: str = "sysctl"
    net: str = "systemd"
    marks: str = "nftables"
