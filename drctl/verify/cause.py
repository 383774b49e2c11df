"""Why a real server speaks for a VIP: what its way of doing so tells of its rules.

Facts: ip-sysctl.rst (arp_ignore, arp_announce: the larger of `all` and the interface's value);
net/ipv4/arp.c (a request names the packet's own source while arp_announce is 0); net/ipv6/ndisc.c
(only addresses of the interface itself are answered for, so not those on lo).
"""

from __future__ import annotations

from collections.abc import Callable

from drctl.quickclass import dataclass

CHECK = "on {host}: drctl realserver check"


@dataclass(frozen=True, slots=True)
class Signature:
    """How one real server spoke for one VIP.

    `is_provoked`: it was seen to ask for an address when it sent from the VIP, so that what it did
    not name as its source means something. `is_alone`: it serves other VIPs of the family too, and
    is silent about some. `second_card` is the MAC when others of the host's cards on the segment
    are silent. `is_proxy`: it answers for addresses that nobody has. `is_here`: it is this host,
    which does not hear itself. `router` is the number of the virtual router that it advertises by
    VRRP, 0 for none. `other_card` is the MAC by which it speaks where it has no known address
    there. `is_indirect`: it answers clients, and no probes. `is_deaf`: it does not answer for its
    own address.
    """

    answers: bool
    names_as_source: bool
    tells_everybody: bool
    is_provoked: bool
    is_v6: bool
    is_alone: bool
    second_card: str
    is_proxy: bool = False
    is_here: bool = False
    router: int = 0
    other_card: str = ""
    is_indirect: bool = False
    is_deaf: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A cause: when it is the likely one, what to say after the host's name, and the way out."""

    fits: Callable[[Signature], bool]
    text: str
    hint: str = CHECK


_INCOMING = (
    "arp_ignore is 0 or 3 on that card, or the rule against incoming requests is missing, in "
    "another chain, inverted, or matches the source instead of the destination; or the VIP is on "
    "the card itself, where arp_ignore does not count"
)
_OUTGOING = (
    "arp_announce is not 2, or the rule that replaces the source of outgoing ARP is missing or "
    "in another chain"
)
_ROWS = (
    Row(
        lambda s: s.is_here,
        "(this host) has the VIP on its card here, which answers for it whatever arp_ignore says",
        "move the VIP to lo; drctl realserver check",
    ),
    Row(
        lambda s: bool(s.router),
        "sends VRRP advertisements for virtual router {router}: a keepalived runs there, as on a "
        "director, and takes the VIP",
        "on {host}: stop keepalived, and take the VIP off the card",
    ),
    Row(
        lambda s: s.is_proxy and not s.is_v6,
        "answers ARP for every address, also those that nobody has: the VIP is on lo with the mask "
        "of the network instead of /32, so that the whole network counts as its own, or proxy_arp "
        "is on",
        "on {host}: set the VIP's prefix length on lo to 32, and proxy_arp to 0",
    ),
    Row(
        lambda s: bool(s.other_card),
        "speaks for it by another card than the one of its own address ({other_card}): the VIP is "
        "on a device there that has a MAC of its own, a macvlan, as keepalived's use_vmac makes it "
        "and may leave it, or a second card",
        "on {host}: take the VIP off that device (ip address show to the VIP); drctl realserver "
        "check",
    ),
    Row(
        lambda s: s.is_indirect and s.answers,
        "answers ARP for it in somebody's place, as a proxy: proxy_arp is on and a route to it "
        "leads out by another card, or proxy_arp_pvlan is, or there is an entry (ip neigh show "
        "proxy)",
    ),
    Row(
        lambda s: s.is_deaf and s.answers,
        "answers ARP for the VIP, and not for its own address: the rule against incoming requests "
        "is inverted, it drops what it is to let in",
    ),
    Row(
        lambda s: s.is_v6 and s.answers,
        "answers neighbour solicitations: the VIP is on its Ethernet card instead of lo, where the "
        "kernel would not answer for it, or it answers for somebody else (ip -6 neigh show proxy)",
        "on {host}: move the VIP to lo, with prefix length 128",
    ),
    Row(
        lambda s: bool(s.second_card) and s.answers,
        "answers by one of its cards on this segment alone ({second_card}): arp_ignore or the "
        "rules hold for the other card only, or the VIP is on that card itself, which may be a "
        "macvlan",
        "on {host}: set arp_ignore for `all`, or the rules without an interface",
    ),
    Row(
        lambda s: s.answers and s.names_as_source and s.is_alone,
        "answers ARP for this VIP alone of those that it serves, and names it as its source: its "
        "rules cover the others, and not this one",
    ),
    Row(
        lambda s: s.answers and s.names_as_source,
        "answers ARP and names the VIP as its source: no ARP rule is in force (never loaded, "
        "flushed, or lost at a reboot)",
    ),
    Row(
        lambda s: s.answers and s.is_alone,
        "answers ARP for this VIP alone of those that it serves: the rule against incoming "
        "requests covers the others, and not this one, or this one is on the card itself",
    ),
    Row(
        lambda s: s.answers and s.is_provoked,
        "answers ARP, and does not name the VIP as its source, so that what goes out is right: "
        + _INCOMING,
    ),
    Row(lambda s: s.answers, "answers ARP: " + _INCOMING),
    Row(
        lambda s: s.names_as_source and s.is_alone,
        "does not answer, but names this VIP alone of those that it serves as its source when it "
        "asks for another address, and so puts its own MAC into the others' tables: the rule for "
        "outgoing ARP covers the others, and not this one",
    ),
    Row(
        lambda s: s.names_as_source,
        "does not answer, but names the VIP as its source when it asks for another address, and so "
        "puts its own MAC into the others' tables: " + _OUTGOING,
    ),
    Row(
        lambda s: s.tells_everybody,
        "told everybody, unasked, that the VIP is at its MAC: it brought the VIP up before its "
        "rules were in force, or a script or network service there announces it (arping -U)",
        "on {host}: load the rules before the address is added",
    ),
)


def cause_of_leak(signature: Signature) -> tuple[str, str]:
    """What to say after the host's name, and where to look; `{host}` in it is the host."""
    for row in _ROWS:
        if row.fits(signature):
            text = row.text.format(
                second_card=signature.second_card,
                router=signature.router,
                other_card=signature.other_card,
            )
            return text, row.hint
    raise AssertionError(f"a leak without a sign of it: {signature}")
