"""What a user may choose in a conversion, with the safe defaults."""

from __future__ import annotations

from drctl.model.pair import Rank
from drctl.quickclass import dataclass

DEFAULT_PRIORITIES = (150, 100)
"""Priority of primary and backup: far enough apart for a track weight to swap them."""

CHECKS = ("native", "exact", "strict")
"""native: keepalived's own checkers where they ask the same question, else drctl-check with
nanny's rules; exact: drctl-check with nanny's rules for every check; strict: like native, and a
status outside 200-399, a failing program or a slow answer means down."""

VRRP_NETWORKS = ("public", "private")


@dataclass(frozen=True, slots=True)
class ConvertOptions:
    """Choices of one conversion; None means the default, which the report then explains.

    `virtual_router_id` 1..255, `priorities` of primary and backup 1..254. `password` is the VRRP
    password (at most 8 characters count), never shown. `interface` is the directors' device on
    the public network, `private_interface` the one on the private network. `given` is whose
    keepalived.conf it is, `own_address` that director's address, `router_id` its
    peer's name.
    """

    primary: str = "primary"
    backup: str = "backup"
    arp: str = "sysctl"
    net: str = "systemd"
    marks: str = "nftables"
    virtual_router_id: int | None = None
    priorities: tuple[int, int] | None = None
    password: str | None = None
    interface: str | None = None
    private_interface: str | None = None
    vrrp_network: str = "public"
    checks: str = "native"
    checks_every_mark_block: bool = False
    is_backup_forced: bool = False
    given: Rank | None = None
    own_address: str | None = None
    router_id: str | None = None
