"""What the core asks of the shell.

The shell carries actions out in the order returned, before it feeds the next event. Each action
with a `number` is answered by exactly one `Settled`, on failure too. One with `before_ms` is not
begun at or after that instant, but settled as `LATE`: the process may have been stopped between.
"""

from __future__ import annotations

from dataclasses import dataclass

from drctl.core.beat import Beat
from drctl.core.role import Role
from drctl.core.value import Group, Settings


@dataclass(frozen=True, slots=True)
class SendBeat:
    """To one peer, on all its links, without waiting; once in each of the `versions`."""

    peer: str
    beat: Beat
    versions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Probe:
    """Ask the segment who has these addresses, with no sender address (RFC 5227; NS from `::`)."""

    interface: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """An ordinary request to a station, from this host's own address."""

    interface: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PrepareFence:
    """Have the fence for the group in the kernel, closed unless it `is_open`, or `is_shut`: open,
    but silent in ARP and ND. What is not fenced yet is then open for one lease; what is, and has
    been closed meanwhile, stays closed."""

    number: int
    group: str
    is_open: bool = False
    is_shut: bool = False


@dataclass(frozen=True, slots=True)
class TellGuard:
    """Have the guard know the group's addresses: needed before they are installed or adopted."""

    number: int
    group: str


@dataclass(frozen=True, slots=True)
class TakeVips:
    """Install the VIPs of the group with a lease, in one batch; `only` these addresses of them,
    all when it is empty."""

    number: int
    group: str
    before_ms: int
    only: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RenewVips:
    """Extend the lease of the group's VIPs from `first` up to and without `end`."""

    number: int
    group: str
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class DropVips:
    """Remove the group's VIPs, by address whatever the prefix; missing ones are no failure. `only`
    these addresses, all when it is empty."""

    number: int
    group: str
    only: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class OpenFence:
    """Let the group answer and accept for one lease."""

    number: int
    group: str
    before_ms: int


@dataclass(frozen=True, slots=True)
class RenewFence:
    """Extend the fence's lease, only if it is not over."""

    number: int
    group: str


@dataclass(frozen=True, slots=True)
class ShutArp:
    """No ARP or ND answer and announcement for the group any more; packets are still accepted."""

    number: int
    group: str


@dataclass(frozen=True, slots=True)
class CloseFence:
    """Neither answers nor packets."""

    number: int
    group: str


@dataclass(frozen=True, slots=True)
class Announce:
    """Gratuitous ARP and unsolicited NA for every VIP of the group, `count` times; for `only` these
    addresses, all when it is empty."""

    group: str
    count: int
    before_ms: int
    only: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ReserveEpochs:
    """Write down that epochs below `below` may be used."""

    number: int
    below: int


@dataclass(frozen=True, slots=True)
class StartGuard:
    """Start a guard, and tell it the addresses of the groups that are held."""

    number: int


@dataclass(frozen=True, slots=True)
class Place:
    """VIPs under one name, by which later actions call them, and how they stand in the fence. What
    was open, or shut, before keeps its lease; `is_open` of what the fence did not have opens it for
    one lease."""

    group: Group
    is_open: bool = False
    is_shut: bool = False
    is_guarded: bool = False


@dataclass(frozen=True, slots=True)
class LayOut:
    """Have exactly these groups from now on: the guard told first, then the fence in one
    transaction, in which a VIP goes from one group to another without a gap. All of it, or, when
    it fails, nothing. With `settings` links, keys and leases are used as there."""

    number: int
    places: tuple[Place, ...]
    before_ms: int
    settings: Settings | None = None


@dataclass(frozen=True, slots=True)
class EndReload:
    """What became of `Reconfigured`: used from now on, or nothing has changed."""

    is_done: bool
    text: str


@dataclass(frozen=True, slots=True)
class AskArbiter:
    """Have the arbiter that lends VIPs lend all of these to `holder`: this node, or another one
    that they are handed over to; "": they are given back. Until another word about them."""

    addresses: tuple[str, ...]
    holder: str


@dataclass(frozen=True, slots=True)
class Report:
    """A transition, for the log, the history and the notify scripts."""

    group: str
    before: Role
    after: Role
    epoch: int
    reason: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """A standing alarm begins (`is_on`) or ends; `key` tells alarms apart."""

    key: tuple[str, ...]
    text: str
    is_on: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """The end of what an operator asked for a group."""

    group: str
    is_done: bool
    text: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Nothing is held any more: the controller may end."""


Action = (
    SendBeat
    | Probe
    | Ask
    | PrepareFence
    | TellGuard
    | TakeVips
    | RenewVips
    | DropVips
    | OpenFence
    | RenewFence
    | ShutArp
    | CloseFence
    | Announce
    | ReserveEpochs
    | StartGuard
    | LayOut
    | EndReload
    | AskArbiter
    | Report
    | Alarm
    | Reply
    | Stop
)
