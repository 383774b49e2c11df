"""Routes and routing policy rules that keepalived sets: those of an instance while it is master,
and static ones. Terms of ip-route(8) and ip-rule(8)."""

from __future__ import annotations

from drctl.model.origin import NO_ORIGINS, Leftover, Origins
from drctl.quickclass import dataclass, field

IPV4, IPV6 = "inet", "inet6"

Option = tuple[str, str]
"""A further option and the words that belong to it, empty for one that needs none."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One of several ways that share the traffic of a route; `weight` is 1..256."""

    via: str | None = None
    device: str | None = None
    weight: int | None = None
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """A route to `destination`, a network in canonical form or `default`.

    `family` is `inet` or `inet6`. `kind` is the route's type (`blackhole` …), None for unicast.
    `table` is a number or a name, None for the main table; `source` the address that the director's
    own connections get. `options` are the others in order, each with its value. A route with
    `is_tracked` and a device is watched: its loss is a fault, of the instance, or of those of the
    `track_group` when it is static.
    """

    destination: str
    family: str = IPV4
    kind: str | None = None
    via: str | None = None
    device: str | None = None
    source: str | None = None
    table: str | None = None
    metric: int | None = None
    scope: str | None = None
    options: tuple[Option, ...] = ()
    hops: tuple[Hop, ...] = ()
    is_tracked: bool = True
    track_group: str | None = None
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of `action`: `table` (look into the one of that number or name), `l3mdev` (into that
    of the device), `goto` (go on at priority `target`), `nop`, `blackhole`, `unreachable`,
    `prohibit`.

    `source` and `destination` are networks in canonical form, or `all`. `mark` is the packets'
    firewall mark under `mark_mask`. `options` are further conditions and options in order, each
    with its value. `is_tracked` and `track_group` as of a route.
    """

    action: str
    family: str = IPV4
    priority: int | None = None
    is_inverted: bool = False
    source: str | None = None
    destination: str | None = None
    in_device: str | None = None
    out_device: str | None = None
    mark: int | None = None
    mark_mask: int | None = None
    table: str | None = None
    target: int | None = None
    options: tuple[Option, ...] = ()
    is_tracked: bool = True
    track_group: str | None = None
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TrackGroup:
    """Instances that go to fault together when a static address, route or rule that names the group
    is lost."""

    name: str
    members: tuple[str, ...] = ()
    leftovers: tuple[Leftover, ...] = ()
    origins: Origins = field(default=NO_ORIGINS, compare=False, repr=False)
