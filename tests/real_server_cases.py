"""Machines of every kind that a real server's renderer has to do with."""

from __future__ import annotations

from drctl.model.pair import Rank
from drctl.model.service import DIRECT, MASQUERADE, TUNNEL
from drctl.render.host import Binding, Host, Port
from drctl.render.host_gateway import Gateway
from drctl.render.install import with_installers
from drctl.render.options import RenderOptions
from drctl.render.real_server import render_real_server
from drctl.render.rendered import Rendering

SOURCE = "lvs.cf"
RIP, RIP6 = "192.0.2.21", "2001:db8::21"
VIP, VIP6 = "192.0.2.10", "2001:db8::10"
WEB = (Port("tcp", 80), Port("tcp", 443))


def binding(
    vip: str = VIP,
    method: str = DIRECT,
    ports: tuple[Port, ...] = WEB,
    *,
    real: str | None = None,
    mark: int | None = None,
    options: tuple[str, ...] = (),
) -> Binding:
    """A VIP on the machine; its real address is of the VIP's family unless given."""
    own = real or (RIP6 if ":" in vip else RIP)
    return Binding(vip, method, own, ports, mark, options, {"": (), "vip": ()})


def gateway(address: str = "192.0.2.254", real: str = RIP) -> Gateway:
    return Gateway(address, real, {"": ()})


HOSTS = {
    "direct": Host("rs1", (RIP,), (binding(), binding("192.0.2.11", ports=(Port("udp", 53),)))),
    "both-families": Host("rs1", (RIP, RIP6), (binding(), binding(VIP6))),
    "ipv6-only": Host("rs1", (RIP6,), (binding(VIP6),)),
    "mark": Host("rs1", (RIP,), (binding(ports=(Port(),), mark=1),)),
    "all-ports": Host("rs1", (RIP,), (binding(ports=(Port("tcp", 0),)),)),
    "tunnel": Host("rs1", (RIP,), (binding("198.51.100.10", TUNNEL), binding(VIP6, TUNNEL))),
    "masquerade": Host("rs1", (RIP,), (binding("198.51.100.10", MASQUERADE),), (gateway(),)),
    "mixed": Host(
        "rs1",
        (RIP,),
        (binding(), binding("198.51.100.11", TUNNEL), binding("198.51.100.10", MASQUERADE)),
        (gateway(),),
    ),
    "director": Host("lb1", (RIP, RIP6), (binding(), binding(VIP6)), rank=Rank.PRIMARY),
}


def rendering(
    case: str | Host, arp: str = "sysctl", net: str = "systemd", marks: str = "nftables"
) -> Rendering:
    """A machine's files with its installers."""
    host = HOSTS[case] if isinstance(case, str) else case
    options = RenderOptions(SOURCE, arp, net, marks)
    return with_installers(render_real_server(host, options), SOURCE)


def texts(made: Rendering) -> dict[str, str]:
    """Text of each file by its path."""
    return {file.path: file.text for file in made.files}
