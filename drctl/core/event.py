"""What the shell tells the core. `now_ms` is monotonic, in milliseconds, and never goes back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from drctl.core.beat import Beat
from drctl.core.value import NEVER_MS, Settings


@dataclass(frozen=True, slots=True)
class Started:
    """The first event.

    `present` are VIPs that this host's kernel holds already, `answering` those of them that no
    fence closes; `epoch` is the one below which every epoch may have been used; `stations` are
    (interface, address) heard in an earlier run, `peer_macs` what it knew of the peers; `held` are
    groups that the operator paused.
    """

    now_ms: int
    boot: int
    epoch: int = 0
    present: frozenset[str] = frozenset()
    answering: frozenset[str] = frozenset()
    stations: tuple[tuple[str, str], ...] = ()
    peer_macs: tuple[tuple[str, str], ...] = ()
    held: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class TimeCame:
    """Nothing but time: fed when the core's deadline is reached. All frames that came before
    `read_ms` have been fed by then, or before `now_ms` where it is None."""

    now_ms: int
    read_ms: int | None = None


@dataclass(frozen=True, slots=True)
class BeatHeard:
    """A heartbeat that came by `link` from the peer whose key it was sent with."""

    now_ms: int
    peer: str
    link: str
    beat: Beat


@dataclass(frozen=True, slots=True)
class LinkLost:
    """The connection to the peer ended: its process, or its kernel, said so."""

    now_ms: int
    peer: str
    link: str


@dataclass(frozen=True, slots=True)
class FrameHeard:
    """An ARP or neighbour-discovery frame.

    `sender` is the address it speaks for ("" for an RFC 5227 probe or a solicitation from `::`),
    `mac` its hardware address in lower case, `target` the address asked for. `is_answer_to_me`:
    a reply or advertisement sent to this host's own address and card.
    """

    now_ms: int
    interface: str
    sender: str
    mac: str
    target: str
    is_answer_to_me: bool = False


class Outcome(Enum):
    """How an action that touches the kernel ended. `LAPSED`: the lease to be renewed was over.
    `LATE`: not tried, its `before_ms` had passed."""

    DONE = "done"
    LAPSED = "lapsed"
    LATE = "late"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Settled:
    """The one answer to the action of that `number`."""

    now_ms: int
    number: int
    outcome: Outcome
    why: str = ""


@dataclass(frozen=True, slots=True)
class TrackReported:
    """A tracked thing changed; `value` counts for those that are a number."""

    now_ms: int
    name: str
    is_up: bool
    value: int = 0


@dataclass(frozen=True, slots=True)
class CarrierChanged:
    """An interface lost or got its carrier, or was set down or up."""

    now_ms: int
    interface: str
    is_up: bool


@dataclass(frozen=True, slots=True)
class MacsChanged:
    """The hardware addresses of all of this host's cards are these now: (interface, address)."""

    now_ms: int
    macs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class FenceVanished:
    """Somebody removed the fence's table, or emptied it."""

    now_ms: int


@dataclass(frozen=True, slots=True)
class AddressVanished:
    """Somebody removed a VIP that this node had installed."""

    now_ms: int
    address: str


@dataclass(frozen=True, slots=True)
class GuardLost:
    """The guard died."""

    now_ms: int


@dataclass(frozen=True, slots=True)
class ArbiterReported:
    """Until when the arbiter allows this node to hold the VIPs, 0 when it does not; one that
    vouches says it of all that there are, with "" for an address."""

    now_ms: int
    until_ms: int
    addresses: tuple[str, ...] = ("",)


class Command(Enum):
    """What an operator may ask. `STOP` is the end of the controller."""

    SWITCH = "switch"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class OperatorAsked:
    """A command for one group ("" for all); `target` is the node to switch to, "" for the best."""

    now_ms: int
    command: Command
    group: str = ""
    target: str = ""


@dataclass(frozen=True, slots=True)
class Reconfigured:
    """Other settings of the same node are to be used from now on; `EndReload` answers it.

    `present` are those of their VIPs that this host's kernel holds already.
    """

    now_ms: int
    settings: Settings
    present: frozenset[str] = frozenset()


Event = (
    Started
    | TimeCame
    | BeatHeard
    | LinkLost
    | FrameHeard
    | Settled
    | TrackReported
    | CarrierChanged
    | MacsChanged
    | FenceVanished
    | AddressVanished
    | GuardLost
    | ArbiterReported
    | OperatorAsked
    | Reconfigured
)


def read_ms(event: Event) -> int:
    """Up to when all frames have been fed. Before other events than the coming of time nobody
    looks whether there are any."""
    if not isinstance(event, TimeCame):
        return -NEVER_MS
    return event.now_ms if event.read_ms is None else event.read_ms
