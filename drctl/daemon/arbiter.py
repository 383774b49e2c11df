"""The arbiter of drctl.toml, as the daemon sees it, whatever its kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from drctl.core.action import AskArbiter
from drctl.core.event import ArbiterReported
from drctl.core.value import Arbiter as CoreArbiter
from drctl.core.value import Group, Settings
from drctl.daemon.config import ArbiterConfig
from drctl.errors import DrctlError

NONE, GATEWAY, ETCD = "none", "gateway", "etcd"
EXTRA_LEASE_MS = 500
"""An address's lease may end so late."""


class Arbiter(Protocol):
    """Whoever decides. `fileno` is readable when there may be `events`; `tick` with every turn."""

    def fileno(self) -> int: ...

    def events(self, now_ms: int) -> list[ArbiterReported]: ...

    def tick(self, now_ms: int) -> list[ArbiterReported]: ...

    def ask(self, action: AskArbiter) -> None:
        """Only one that lends is asked."""

    def trouble(self, now_ms: int) -> str:
        """What is wrong with it, "" when nothing is."""

    def end(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ArbiterState:
    """For `drctl status`: whether it allows this node anything, for which groups if it lends, and
    what is wrong."""

    kind: str
    is_granted: bool
    groups: tuple[str, ...]
    trouble: str

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "granted": self.is_granted,
            "groups": list(self.groups),
            "trouble": self.trouble,
        }


def core_arbiter(config: ArbiterConfig, heartbeat_ms: int) -> CoreArbiter | None:
    """What the core has to know of it."""
    if config.kind == NONE:
        return None
    if config.kind == ETCD:
        return CoreArbiter(is_lease=True)
    return CoreArbiter(hold_ms=config.hold_ms(heartbeat_ms))


def check_arbiter(config: ArbiterConfig) -> None:
    """Raises DrctlError when it could not be asked: no gateway, no certificate."""
    if config.kind == GATEWAY:
        _points(config)
    elif config.kind == ETCD:
        from drctl.adapters.arbiter_etcd import Etcd, Tls

        Etcd(config.endpoints, Tls(config.ca, config.cert, config.key), 1).close()


def _points(config: ArbiterConfig) -> tuple[str, ...]:
    from drctl.daemon.host_reading import default_gateways

    found = config.addresses or tuple(default_gateways())
    if not found:
        raise DrctlError("arbiter.addresses is missing, and there is no default gateway")
    return found


def make_arbiter(
    config: ArbiterConfig, settings: Settings, *, has_fence: bool, now_ms: int
) -> Arbiter | None:
    """The one that is configured. Raises DrctlError when it cannot be asked."""
    timing = settings.timing
    if config.kind == GATEWAY:
        from drctl.daemon.arbiter_gateway import Gateway

        return Gateway(config, _points(config), timing.heartbeat_ms, now_ms)
    if config.kind == ETCD:
        from drctl.daemon.arbiter_lease import Lease

        lag_ms = timing.fence_ms if has_fence else timing.lease_ms + EXTRA_LEASE_MS
        return Lease.spawn(config, settings.node, lag_ms, now_ms)
    return None


def state_of(
    kind: str, groups: Iterable[Group], grants: Mapping[str, int], now_ms: int, trouble: str
) -> ArbiterState:
    """As it stands now, by what it has told the core."""
    granted = {name for name, until_ms in grants.items() if until_ms > now_ms}
    lent = () if kind == GATEWAY else sorted(one.name for one in groups if one.addresses <= granted)
    return ArbiterState(kind, "" in granted or bool(lent), tuple(lent), trouble)
