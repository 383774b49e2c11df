"""The methods that a lab can try: what each needs of the kernel and of the machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drctl.lab.plan import NONE

UML = "uml"
QEMU = "qemu"
HERE = "here"
"""The kernel of a lab that is in no guest."""
KERNELS = (UML, QEMU)


@dataclass(frozen=True, slots=True)
class Method:
    """`arp` is the word for `drctl convert --arp`; `backend` (legacy, nft) which variant of
    Debian's arptables and iptables the hosts have, None: the kernel's usual one. `tools` are
    programs with the packages they come in."""

    name: str
    title: str
    arp: str
    kernels: tuple[str, ...]
    backend: str | None = None
    tools: Mapping[str, str] | None = None


_ARPTABLES = {"arptables": "arptables"}
_IPTABLES = {"iptables": "iptables"}
_NFTABLES = {"nft": "nftables"}

METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method(NONE, "the VIPs on the real servers, without ARP rules", "sysctl", KERNELS),
        Method("sysctl", "arp_ignore and arp_announce", "sysctl", KERNELS),
        Method("arptables", "arptables rules", "arptables", KERNELS, "legacy", _ARPTABLES),
        Method("iptables", "no VIP, iptables redirects", "iptables", KERNELS, None, _IPTABLES),
        Method("nftables", "an nftables arp table", "nftables", (QEMU,), None, _NFTABLES),
        Method(
            "arptables-nft",
            "arptables rules, arptables over nft",
            "arptables",
            (QEMU,),
            "nft",
            _ARPTABLES,
        ),
        Method(
            "nft-redirect", "no VIP, nftables redirects", "nft-redirect", (QEMU,), None, _NFTABLES
        ),
    )
}
"""arptables_jf is missing: its kernel module and its program ended with RHEL 6."""

BASIC_TOOLS: Mapping[str, str] = {
    "ip": "iproute2",
    "modprobe": "kmod",
    "ipvsadm": "ipvsadm",
    "keepalived": "keepalived",
}


def kernel_for(methods: tuple[Method, ...]) -> str:
    """The quickest kernel that can try all methods."""
    return next(kernel for kernel in KERNELS if all(kernel in m.kernels for m in methods))
