"""Everything that a run of the daemon, or a reload, is made of, read and looked at."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from drctl.adapters.addresses import Addresses
from drctl.adapters.heartbeat_socket import HeartbeatLink
from drctl.adapters.keys import Keyring, read_public, read_secret
from drctl.core.value import Settings
from drctl.daemon.arbiter import check_arbiter
from drctl.daemon.config import DaemonConfig, read_config
from drctl.daemon.config_reading import read_failover
from drctl.daemon.failover_settings import Failover
from drctl.daemon.hook_reading import hook_settings
from drctl.daemon.hook_value import HookSettings
from drctl.daemon.host import Host
from drctl.daemon.host_check import check_cards, check_host
from drctl.daemon.host_reading import read_host
from drctl.daemon.rival_check import check_rivals
from drctl.errors import DrctlError

Own = tuple[tuple[str, int], ...]
"""Addresses of this host on an interface, with their prefixes."""


@dataclass(frozen=True)
class Preparation:
    """What the daemon works by. `own` are the host's own addresses on the interfaces of the VIPs;
    `notes` are what a user should know of, and no reason not to go on."""

    config: DaemonConfig
    settings: Settings
    links: tuple[HeartbeatLink, ...]
    hooks: HookSettings
    keyring: Keyring
    own: dict[str, Own]
    notes: tuple[str, ...] = ()


class Unready(DrctlError):
    """It cannot be used; `lines` are all reasons, each with its place."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = tuple(dict.fromkeys(lines))
        super().__init__("\n".join(self.lines))


def prepare(path: str, *, accepts_unsupported: bool, has_fence: bool) -> Preparation:
    """Read all for a daemon that runs already. Raises Unready."""
    notes = _Notes()
    log = logging.getLogger("drctl")
    log.addHandler(notes)
    try:
        made = _prepared(path, accepts_unsupported=accepts_unsupported, has_fence=has_fence)
    except Unready:
        raise
    except DrctlError as refused:
        raise Unready(str(refused).splitlines()) from refused
    finally:
        log.removeHandler(notes)
    return replace(made, notes=(*made.notes, *notes.texts))


def _prepared(path: str, *, accepts_unsupported: bool, has_fence: bool) -> Preparation:
    config = read_config(path)
    addresses = Addresses()
    try:
        host = read_host(addresses)
        reasons: list[str] = []
        failover = _tried(
            reasons, lambda: read_failover(config, host, accepts_unsupported=accepts_unsupported)
        )
        keyring = _tried(reasons, lambda: keyring_of(config))
        _tried(reasons, lambda: check_arbiter(config.arbiter))
        hooks = None
        if failover is not None:
            read = failover
            hooks = _tried(reasons, lambda: hook_settings(read, config.config))
        if reasons or failover is None or keyring is None or hooks is None:
            raise Unready(reasons)
        made = preparation_of(config, failover, hooks, keyring, host)
        made = replace(made, settings=without_fence(made.settings, has_fence=has_fence))
        vips = [vip for group in made.settings.groups for vip in group.vips]
        check_rivals([vip.address for vip in vips])
        check_cards(failover.parts, host)
        check_host(vips, addresses, has_fence=has_fence)
    finally:
        addresses.close()
    return made


def preparation_of(
    config: DaemonConfig, failover: Failover, hooks: HookSettings, keyring: Keyring, host: Host
) -> Preparation:
    """What has been read, as one thing."""
    own: dict[str, Own] = {}
    for interface in failover.settings.interfaces:
        card = host.get(interface.name)
        networks = card.networks if card is not None else ()
        own[interface.name] = tuple((str(one.ip), one.network.prefixlen) for one in networks)
    notes = tuple(f"not carried out: {each}" for each in failover.unsupported)
    return Preparation(config, failover.settings, failover.links, hooks, keyring, own, notes)


def without_fence(settings: Settings, *, has_fence: bool) -> Settings:
    """Where there is no nftables the leases of addresses are all there is."""
    if has_fence:
        return settings
    return replace(settings, timing=replace(settings.timing, fence_ms=0))


def keyring_of(config: DaemonConfig) -> Keyring:
    """Keys from their files."""
    own = read_secret(config.secret, config.node)
    accepted = {peer.node: read_public(peer.public, peer.node) for peer in config.peers}
    return Keyring(own, accepted)


Read = TypeVar("Read")


def _tried(reasons: list[str], read: Callable[[], Read]) -> Read | None:
    """What was read; None when it was refused, with the reasons."""
    try:
        return read()
    except DrctlError as refused:
        reasons += str(refused).splitlines()
        return None


class _Notes(logging.Handler):
    """Collects warnings."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """One of them."""
        self.texts.append(record.getMessage())
