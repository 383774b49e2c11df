"""What VRRP instances and checks watch beside scripts and devices: files, processes, BFD sessions;
and how often devices may be announced and believed."""

from __future__ import annotations

from drctl.model.origin import NO_ORIGINS, Leftover, Origins
from drctl.quickclass import dataclass, field


@dataclass(frozen=True, slots=True)
class TrackFile:
    """A track_file: a file that holds a number, which is multiplied with the weight.

    `weight` -254..254, None when not given (keepalived: 1); 0 makes any other number than 0 a
    fault. `initial` is the number that the file is made with, None when it is not made; with
    `overwrites` also where it exists.
    """

    name: str
    path: str | None = None
    weight: int | None = None
    is_reversed: bool = False
    initial: int | None = None
    overwrites: bool = False
    leftovers: tuple[Leftover, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TrackProcess:
    """A vrrp_track_process: processes of which there must be `quorum` (None: 1) to `quorum_max`.

    `program` is the name, with or without path, `arguments` those that tell it apart. `match` is
    how they are compared: `exact`, `initial`, `partial`, None not at all unless there are some.
    The delays are how long a new process and the end of one must last before they count.
    """

    name: str
    program: str | None = None
    arguments: tuple[str, ...] = ()
    match: str | None = None
    weight: int | None = None
    is_reversed: bool = False
    quorum: int | None = None
    quorum_max: int | None = None
    fork_delay_us: int | None = None
    terminate_delay_us: int | None = None
    is_full_command: bool = False
    leftovers: tuple[Leftover, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class BfdSession:
    """A bfd_instance: a session with `neighbor` (RFC 5880).

    Intervals are None when not given (keepalived: 10 ms to receive and to send, 1 s while down).
    `ttl` is that of sent packets, `max_hops` how far away the neighbour may be, -1 anywhere.
    `weight` is for the instances that track the session (None: its loss is a fault). Both VRRP and
    the checks are told of it unless only one of `tells_vrrp` and `tells_checks` is set.
    """

    name: str
    neighbor: str | None = None
    source: str | None = None
    min_receive_us: int | None = None
    min_send_us: int | None = None
    idle_send_us: int | None = None
    multiplier: int | None = None
    is_passive: bool = False
    ttl: int | None = None
    max_hops: int | None = None
    weight: int | None = None
    is_reversed: bool = False
    tells_vrrp: bool = False
    tells_checks: bool = False
    is_multihop: bool | None = None
    leftovers: tuple[Leftover, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class GarpGroup:
    """A garp_group: devices whose gratuitous ARP messages and neighbour advertisements together
    keep a pause; None when the group has none of its own."""

    interfaces: tuple[str, ...] = ()
    garp_interval_us: int | None = None
    gna_interval_us: int | None = None
    leftovers: tuple[Leftover, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class InterfaceDelay:
    """How long a device must be down, or up again, before that counts."""

    interface: str
    down_us: int | None = None
    up_us: int | None = None
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class PolledLink:
    """A device whose state is asked for instead of waited for; `method` is `MII`, `ETHTOOL` or
    `IOCTL`, None for the first that works."""

    interface: str
    method: str | None = None
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)
