"""What is asked of a segment, and what came of it. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from drctl.adapters.packet import Heard
from drctl.quickclass import dataclass, field


@dataclass(frozen=True, slots=True)
class Question:
    """An address to ask for on an interface. `is_as_client`: also once from this host's own."""

    address: str
    interface: str
    is_as_client: bool = False


@dataclass(slots=True)
class Record:
    """What came of it. `tried` are pairs of a station and the VIP that a packet to it was for,
    `provoked` those of them after which it asked for its bait, `baits` the addresses that nobody
    has, by interface, and `proxies` the MACs that answer for them all the same; `routers` are pairs
    of a MAC and the virtual router that it speaks for by VRRP."""

    heard: list[Heard] = field(default_factory=list)
    tried: set[tuple[str, str]] = field(default_factory=set)
    provoked: set[tuple[str, str]] = field(default_factory=set)
    baits: dict[str, list[str]] = field(default_factory=dict)
    proxies: set[str] = field(default_factory=set)
    routers: set[tuple[str, int]] = field(default_factory=set)
    lost: int = 0
    macs: dict[str, set[str]] = field(default_factory=dict)
    """Those that spoke for each address, so far."""
    used: Counter[str] = field(default_factory=Counter)
    """How many baits each station was given."""
    laid: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    """By MAC and bait: the station and the VIP that it was for."""
    strange: list[Question] = field(default_factory=list)
    """All addresses that may be nobody's."""
    pursued: set[str] = field(default_factory=set)
    """MACs that were asked by themselves, with so many questions in all:"""
    questioned: int = 0
    met: set[str] = field(default_factory=set)
    """MACs that spoke for what clients ask for, and for no station."""
    hooks: dict[str, str] = field(default_factory=dict)
    """By address that nobody has: the MAC that was to ask for it, of a machine that nobody
    knows."""
    ties: set[tuple[str, str]] = field(default_factory=set)
    """That MAC, and the one of the same machine that asked."""

    def add(self, heard: Iterable[Heard]) -> None:
        """Something more was heard."""
        for one in heard:
            self.heard.append(one)
            if one.sender_address:
                self.macs.setdefault(one.sender_address, set()).add(one.sender_mac)
            asked = one.sender_mac, one.target_address
            if one.kind == "request" and asked in self.laid:
                self.provoked.add(self.laid[asked])
            if one.kind == "request" and one.target_address in self.hooks:
                self.ties.add((self.hooks[one.target_address], one.sender_mac))

    def lay(self, macs: Iterable[str], bait: str, pair: tuple[str, str]) -> None:
        """A packet for that pair of station and VIP, from the bait, goes to these MACs."""
        self.laid |= {(mac, bait): pair for mac in macs}
        self.used[pair[0]] += 1
        self.tried.add(pair)

    def is_open(self, asked: Iterable[str]) -> bool:
        """Whether a station has not done yet what it was provoked to, or something is odd of which
        more may be heard: two speak for an address that was asked for, or somebody for a bait."""
        return (
            bool(self.tried - self.provoked or self.hooks)
            or any(len(self.macs.get(address, ())) > 1 for address in asked)
            or any(bait.address in self.macs for bait in self.strange)
        )
