"""Directors for tests: one view of a pair with everything that a director's files depend on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from drctl.model.check import MiscCheck
from drctl.model.configuration import Configuration
from drctl.model.origin import SELF
from drctl.model.pair import Rank, Settings, SyncDaemon
from drctl.model.service import (
    DIRECT,
    Forwarding,
    MarkRule,
    RealServer,
    VirtualService,
)
from drctl.model.vrrp import Authentication, UnicastPeer, Vip, VrrpInstance
from drctl.render.checkarg import CHECK_PATH
from drctl.render.director import render_director
from drctl.render.host import Host
from drctl.render.options import RenderOptions
from drctl.render.rendered import RenderedFile, Rendering
from drctl.text.place import Place

VIP = "192.0.2.10"
VIP6 = "2001:db8::10"
PLACE = Place("lvs.cf", 12, 1, 12, 9)


def instance(name: str = "VI_1", **fields: Any) -> VrrpInstance:
    """A unicast instance on eth0."""
    given: dict[str, Any] = {
        "interface": "eth0",
        "virtual_router_id": 51,
        "priority": 150,
        "unicast_source": "192.0.2.1",
        "unicast_peers": (UnicastPeer("192.0.2.2"),),
        "vips": (Vip(VIP, 24),),
        "origins": {SELF: (PLACE,)},
        **fields,
    }
    return replace(VrrpInstance(name), **given)


def service(method: str = DIRECT, **fields: Any) -> VirtualService:
    """192.0.2.10:80 with one real server."""
    given: dict[str, Any] = {
        "address": VIP,
        "port": 80,
        "protocol": "tcp",
        "scheduler": "rr",
        "forwarding": Forwarding(method),
        "real_servers": (RealServer("192.0.2.21", 80),),
        "origins": {SELF: (PLACE,)},
        **fields,
    }
    return replace(VirtualService(), **given)


def marked(mark: int, *rules: tuple[str, str, int | None], method: str = DIRECT) -> VirtualService:
    """A service that is a mark, with the rules that give it."""
    return service(
        method,
        address=None,
        port=None,
        protocol=None,
        mark=mark,
        name=f"mark{mark}",
        real_servers=(RealServer("192.0.2.21"),),
        mark_rules=tuple(MarkRule(*rule, origins={SELF: (PLACE,)}) for rule in rules),
    )


def checked(**fields: Any) -> VirtualService:
    """A service whose server is checked by our program."""
    check = MiscCheck(f"{CHECK_PATH} tcp 192.0.2.21 80 --expect=220 --timeout=10")
    return service(real_servers=(RealServer("192.0.2.21", 80, checks=(check,)),), **fields)


def configuration(*services: VirtualService, **fields: Any) -> Configuration:
    """The primary director's view."""
    given: dict[str, Any] = {"instances": (instance(),), "services": services, **fields}
    return replace(Configuration(rank=Rank.PRIMARY), **given)


def everything() -> Configuration:
    """A director that needs each of its files."""
    multicast = instance(
        "VI_6",
        interface="eth1.5",
        virtual_router_id=52,
        unicast_source=None,
        unicast_peers=(),
        vips=(Vip(VIP6, 64),),
        authentication=Authentication("AH", "secret"),
    )
    sync = SyncDaemon("eth1.5", "VI_1", 7)
    return configuration(
        checked(),
        marked(80, (VIP, "tcp", 80), (VIP, "tcp", 443), (VIP6, "udp", 53), method="masquerading"),
        marked(21, (VIP, "tcp", 21), method="masquerading"),
        instances=(instance(), multicast),
        settings=Settings(sync_daemon=sync, router_id="lb1"),
    )


def rendering(view: Configuration, **options: str) -> Rendering:
    """All files of the director whose view it is."""
    host = Host("lb1", rank=view.rank)
    return render_director(view, host, RenderOptions("lvs.cf", **options))


def files(view: Configuration, **options: str) -> dict[str, RenderedFile]:
    """They by their paths."""
    return {file.path: file for file in rendering(view, **options).files}
