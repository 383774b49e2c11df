"""A keepalived.conf or lvs.cf, drctl.toml and the host become what the failover core is configured
with, and what the shell around it needs. Pure: files were read before, and the kernel was asked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, field

from drctl.adapters.heartbeat_socket import HeartbeatLink
from drctl.core.beat import Beat, GroupBeat
from drctl.core.role import Role
from drctl.core.value import Announcing, Group, Interface, Link, Peer, Settings, Timing
from drctl.core.wire import MACS_LIMIT, SIZE_LIMIT_BYTES, encode
from drctl.daemon.arbiter import core_arbiter
from drctl.daemon.config import DaemonConfig, LinkConfig
from drctl.daemon.failover_group import (
    LONGEST_NAME_BYTES,
    MOST_GROUPS,
    GroupParts,
    Mail,
    group_parts,
)
from drctl.daemon.host import Host
from drctl.daemon.problem import ConfigRefused, Problem
from drctl.daemon.tracked import Watch
from drctl.daemon.unsupported import Statement, examine, replaced_of_pulse
from drctl.model.configuration import Configuration
from drctl.model.pair import Director, Rank
from drctl.readers.reading import Reading
from drctl.text.diagnostic import Severity
from drctl.text.place import Place
from drctl.text.secret import masked

DEFAULT_PORT = 5390
DIGEST_CHARACTERS = 16
_MOST_WITNESSES = 64


@dataclass(frozen=True, slots=True)
class Failover:
    """Everything that one run of the daemon is configured with.

    `parts` have for each group what the core does not see: hooks, mail. `watches` are what the
    shell reports under the names that the groups' tracks have. `replaced` and `unsupported` are
    statements of the configuration that are not carried out. `fifos` are pipes that get a line for
    each change of an instance or sync group. `script_user` is whom scripts run as (and the group)
    that name nobody.
    """

    settings: Settings
    links: tuple[HeartbeatLink, ...]
    parts: tuple[GroupParts, ...]
    watches: tuple[Watch, ...]
    mail: Mail | None = None
    fifos: tuple[str, ...] = ()
    replaced: tuple[Problem, ...] = ()
    unsupported: tuple[Problem, ...] = ()
    is_from_lvs_cf: bool = field(default=False)
    script_user: str | None = None


def build(
    config: DaemonConfig, reading: Reading, host: Host, *, accepts_unsupported: bool = False
) -> Failover:
    """The settings; ConfigRefused lists every reason against them."""
    configuration, rank = reading.configuration, None
    problems: list[Problem] = []
    preface: list[Problem] = []
    if reading.document.is_template:
        raise ConfigRefused([Problem(config.config, 0, "it is a template, no configuration")])
    if configuration.pulse is not None:
        rank = _rank(configuration, config, host, problems)
        configuration = _lowered(reading, rank or Rank.PRIMARY, host, preface)
    replaced, refused = _examined(configuration, reading, config.config)
    told = frozenset((one.path, one.line) for one in refused)
    parts = group_parts(configuration, config.config, problems, is_lvs_cf=rank is not None)
    left_out = [each for part in parts for each in part.left_out]
    unsupported = sorted({*preface, *refused, *left_out, *_unreadable(reading, told)})
    if not parts and not problems:
        problems.append(Problem(config.config, 0, "no VIP in it: there is nothing to fail over"))
    _check_once(parts, problems)
    links = _links(config, reading.configuration, rank, problems)
    _check_ends(parts, links, problems)
    _check_size(parts, config, problems)
    if problems or (unsupported and not accepts_unsupported):
        closing = "--accept-unsupported starts without these" if not problems else ""
        raise ConfigRefused([*problems, *unsupported], closing)
    groups = tuple(part.group for part in parts)
    timing = _timing(config)
    return Failover(
        Settings(
            config.node,
            groups,
            _peers(config, links, host),
            _interfaces(groups, configuration, config, host),
            timing,
            digest_of(groups, timing, config.arbiter.shared(config.heartbeat_ms)),
            core_arbiter(config.arbiter, config.heartbeat_ms),
        ),
        links,
        parts,
        tuple(dict.fromkeys(watch for part in parts for watch in part.watches)),
        Mail.of(configuration),
        tuple(
            pipe.path
            for pipe in (configuration.settings.fifo, configuration.settings.vrrp_fifo)
            if pipe is not None
        ),
        tuple(sorted(replaced)),
        tuple(unsupported),
        rank is not None,
        configuration.settings.script_user,
    )


def _examined(
    configuration: Configuration, reading: Reading, path: str
) -> tuple[set[Problem], set[Problem]]:
    """Statements that are replaced, and those that cannot be honoured, as they are written."""
    texts = {document.source.path: document.source for document in reading.documents}

    def listed(found: Statement) -> Problem:
        place = found.place
        if place is None or place.path not in texts:
            return Problem(path, 0, found.why)
        text = masked(texts[place.path].line(place.line).strip())
        return Problem(place.path, place.line, f"{text[:80]}: {found.why}")

    statements = list(examine(configuration))
    if reading.configuration.pulse is not None:
        # the conversion made VRRP's settings of places that say something else
        kept = [one for one in statements if not one.is_replaced]
        statements = [*kept, *replaced_of_pulse(reading.configuration.pulse)]
    replaced = {listed(one) for one in statements if one.is_replaced}
    return replaced, {listed(one) for one in statements if not one.is_replaced}


def digest_of(groups: Sequence[Group], timing: Timing, arbiter: tuple[object, ...] = ()) -> str:
    """Short text that is equal on directors whose VIPs, groups, timing and arbiter are."""
    shown = [
        (group.name, sorted((v.address, v.prefix, v.scope) for v in group.vips))
        for group in sorted(groups, key=lambda one: one.name)
    ]
    # in the order, and only as far, as the version before says it: that knows no other limit, and
    # announces all groups alike
    *timed, limit_ms = astuple(timing)
    timed += _announced([group.announcing for group in groups] or [Announcing()])
    if limit_ms != Timing.confirm_limit_ms:
        timed.append(limit_ms)
    text = repr((shown, tuple(timed), *arbiter))
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_CHARACTERS]


def _unreadable(reading: Reading, told: frozenset[tuple[str, int]]) -> list[Problem]:
    """What the reader itself found broken, beside what is told already."""
    return [
        Problem(found.place.path, found.place.line, found.message)
        for found in reading.diagnostics
        if found.severity is Severity.ERROR and (found.place.path, found.place.line) not in told
    ]


def _rank(
    configuration: Configuration, config: DaemonConfig, host: Host, problems: list[Problem]
) -> Rank | None:
    """Which director of an lvs.cf this host is, by its addresses, also those of its links."""
    own = {link.local for peer in config.peers for link in peer.links}
    found = [
        director.rank
        for director in configuration.directors
        if any(
            address in own or host.with_address(address) is not None
            for address in _director_addresses(director)
        )
    ]
    if len(found) == 1:
        return found[0]
    if not configuration.directors:
        reason = "neither primary nor backup is in it"
    elif found:
        reason = "this host has the addresses of primary and of backup"
    else:
        named = [a for one in configuration.directors for a in _director_addresses(one)]
        reason = f"this host has none of the directors' addresses ({', '.join(named)})"
    problems.append(Problem(config.config, 0, reason))
    return None


def _director_addresses(director: Director) -> list[str]:
    from drctl.units import ip_address

    given = (director.public, director.private)
    return [address for address in given if address and ip_address(address)]


def _lowered(reading: Reading, rank: Rank, host: Host, unsupported: list[Problem]) -> Configuration:
    """An lvs.cf in keepalived's terms, as this director sees it."""
    from drctl.convert.ledger import Ledger
    from drctl.convert.lower import lower
    from drctl.convert.options import ConvertOptions

    given = reading.configuration
    public = next((one.public for one in given.directors if one.rank is rank), None)
    card = host.with_address(public) if public else None
    options = ConvertOptions(interface=card.name if card else None, is_backup_forced=True)
    directors = lower(given, options, Ledger())
    assert directors.backup is not None, "a backup was asked for"
    pulse = given.pulse
    if pulse is not None and pulse.syncs_connections:
        place = pulse.origins["syncs_connections"][-1]
        why = "syncdaemon: connections are not synchronised"
        unsupported.append(Problem(place.path, place.line, why))
    lowered = directors.primary if rank is Rank.PRIMARY else directors.backup
    return replace_settings(lowered)


def replace_settings(configuration: Configuration) -> Configuration:
    """Without what the conversion adds for keepalived alone."""
    from drctl.quickclass import replace as changed

    settings = changed(configuration.settings, sync_daemon=None)
    return changed(configuration, settings=settings)


def _check_once(parts: Iterable[GroupParts], problems: list[Problem]) -> None:
    seen: dict[str, str] = {}
    for part in parts:
        for vip in part.group.vips:
            other = seen.setdefault(vip.address, part.group.name)
            if other != part.group.name:
                reason = f"{vip.address} is in group {other} and in group {part.group.name}"
                problems.append(_problem(part.place, reason))


def _check_ends(
    parts: Iterable[GroupParts], links: Iterable[HeartbeatLink], problems: list[Problem]
) -> None:
    """Directors reach each other by addresses that do not move, and are not taken away."""
    ends = {}
    for link in links:
        ends[link.local.partition("%")[0]] = "this director's own"
        ends[link.remote.partition("%")[0]] = f"{link.peer}'s own"
    for part in parts:
        for vip in part.group.vips:
            if vip.address in ends:
                reason = f"{vip.address} is a VIP, and {ends[vip.address]} address of a link too"
                problems.append(_problem(part.place_of(vip.address), reason))


def _check_size(parts: Sequence[GroupParts], config: DaemonConfig, problems: list[Problem]) -> None:
    """A heartbeat tells of all groups at once, at most while every one of them is handed over."""
    target = max((peer.node for peer in config.peers), key=len, default="")
    groups = tuple(
        GroupBeat(part.group.name, Role.YIELDING, 0, 0, target=target)
        for part in parts[:MOST_GROUPS]
        if len(part.group.name.encode()) <= LONGEST_NAME_BYTES
    )
    macs = ("02:00:00:00:00:00",) * MACS_LIMIT
    largest = Beat(config.node, 0, 0, digest="0" * DIGEST_CHARACTERS, macs=macs, groups=groups)
    size = len(encode(largest))
    if size > SIZE_LIMIT_BYTES:
        reason = f"{len(parts)} groups with names as long as these do not fit into a heartbeat"
        limit = f"{size} bytes, at most {SIZE_LIMIT_BYTES}: shorter names, or fewer groups"
        problems.append(Problem(config.config, 0, f"{reason} ({limit})"))


def _problem(place: Place | None, reason: str) -> Problem:
    return Problem(place.path, place.line, reason) if place else Problem("", 0, reason)


def _links(
    config: DaemonConfig,
    configuration: Configuration,
    rank: Rank | None,
    problems: list[Problem],
) -> tuple[HeartbeatLink, ...]:
    found: list[HeartbeatLink] = []
    pulse = configuration.pulse
    port = DEFAULT_PORT
    if pulse is not None and "heartbeat_port" in pulse.origins and pulse.heartbeat_port.isdecimal():
        port = int(pulse.heartbeat_port)
    for peer in config.peers:
        links: Iterable[LinkConfig] = peer.links
        if not peer.links and rank is not None and len(config.peers) == 1:
            links = _links_of_pair(configuration, rank)
        made = [
            HeartbeatLink(
                peer.node, f"{one.local}-{one.peer}", one.local, one.peer, one.port or port
            )
            for one in links
        ]
        if not made:
            reason = f"peer {peer.node} has no [[peer.link]]"
            problems.append(Problem(config.path, 0, reason))
        found += made
    return tuple(found)


def _links_of_pair(configuration: Configuration, rank: Rank) -> list[LinkConfig]:
    by_rank = {one.rank: one for one in configuration.directors}
    own = by_rank.get(rank)
    other = next((one for key, one in by_rank.items() if key is not rank), None)
    if own is None or other is None:
        return []
    pairs = ((own.public, other.public), (own.private, other.private))
    return [LinkConfig(local, peer) for local, peer in pairs if local and peer]


def _peers(config: DaemonConfig, links: Sequence[HeartbeatLink], host: Host) -> tuple[Peer, ...]:
    found = []
    for peer in config.peers:
        own: list[Link] = []
        addresses: list[tuple[str, str]] = []
        for link in links:
            if link.peer != peer.node:
                continue
            card = host.with_address(link.local)
            own.append(Link(link.name, card.name if card else ""))
            remote = link.remote.partition("%")[0]
            if card is not None and card.reaches(remote):
                addresses.append((card.name, remote))
        found.append(Peer(peer.node, tuple(own), tuple(dict.fromkeys(addresses))))
    return tuple(found)


def _announced(every: Sequence[Announcing]) -> tuple[int, int, int]:
    refresh = [one.refresh_ms for one in every if one.refresh_ms]
    counts, again = [one.count for one in every], [one.again_ms for one in every]
    return max(counts), max(again), min(refresh, default=0)


def _interfaces(
    groups: Sequence[Group], configuration: Configuration, config: DaemonConfig, host: Host
) -> tuple[Interface, ...]:
    """Each card of a group, with the stations on its networks that can be asked: real servers,
    however they are forwarded to, routers, and those that drctl.toml names."""
    servers = [
        server.address
        for service in configuration.services
        for server in service.real_servers
        if server.is_active
    ]
    peers = {link.peer for peer in config.peers for link in peer.links}
    vips = {vip.address for group in groups for vip in group.vips}
    made = []
    for name in dict.fromkeys(card for group in groups for card in group.interfaces):
        card = host.get(name)
        if card is None:
            made.append(Interface(name, ()))
            continue
        stations = [
            address
            for address in dict.fromkeys((*servers, *card.gateways, *config.witnesses))
            if _is_address(address) and address not in peers | vips and card.reaches(address)
        ]
        made.append(
            Interface(name, (card.mac,) if card.mac else (), tuple(stations[:_MOST_WITNESSES]))
        )
    return tuple(made)


def _is_address(text: str) -> bool:
    from drctl.units import ip_address

    return ip_address(text) is not None


def _timing(config: DaemonConfig) -> Timing:
    return Timing(
        heartbeat_ms=config.heartbeat_ms,
        confirm_probes=config.confirm_probes,
        fence_ms=0 if config.fence_kind == "address" else config.fence_ms,
        lease_ms=config.lease_ms,
        overlap_ms=config.overlap_ms,
        handover_ms=config.handover_ms,
        confirm_limit_ms=config.confirm_ms,
    )
