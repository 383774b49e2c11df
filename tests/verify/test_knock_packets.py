"""What goes to a real server in a tunnel, byte by byte: the outer family need not be the VIP's."""

from __future__ import annotations

import socket
import struct

import pytest

from drctl.adapters import ip_packet
from drctl.adapters.ip_packet import Encapsulation, encapsulation
from drctl.adapters.knock import Tunnel
from drctl.adapters.survey import Card
from drctl.verify.plan import Connection
from drctl.verify.through import addresses_of

VIP4, VIP6 = "192.0.2.100", "2001:db8::100"
ENDS = {4: ("192.0.2.9", "192.0.2.21"), 6: ("2001:db8::9", "2001:db8::21")}
CARD = Card("eth0", (("192.0.2.9", 24), ("2001:db8::9", 64), ("fe80::9", 64)))


def packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def inner(vip: str) -> bytes:
    source = ENDS[6 if ":" in vip else 4][0]
    return ip_packet.tcp(packed(source), packed(vip), ip_packet.Segment(4000, 80, 7, 0, 2))


def outer(vip: str, family: int, how: Encapsulation) -> ip_packet.Packet:
    source, target = map(packed, ENDS[family])
    whole = ip_packet.tunnelled((source, target), inner(vip), how)
    read = ip_packet.read(ip_packet.frame(bytes(6), bytes(6), whole))
    assert read is not None
    assert (read.source, read.target) == (source, target)
    return read


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize(("vip", "protocol", "ethertype"), [(VIP4, 4, 0x0800), (VIP6, 41, 0x86DD)])
def test_tunnel_packet_of_any_families_carries_the_vips_packet(
    vip: str, protocol: int, ethertype: int, family: int
) -> None:
    plain = outer(vip, family, encapsulation(()))
    assert (plain.protocol, plain.body) == (protocol, inner(vip))
    gre = outer(vip, family, encapsulation(("type", "gre")))
    assert (gre.protocol, gre.body) == (47, struct.pack("!HH", 0, ethertype) + inner(vip))
    gue = outer(vip, family, encapsulation(("type", "gue", "port", "6080", "nocsum")))
    _, port, size, _ = struct.unpack_from("!HHHH", gue.body)
    assert (gue.protocol, port, size) == (17, 6080, len(gue.body))
    assert gue.body[8:] == bytes((0, protocol, 0, 0)) + inner(vip)


@pytest.mark.parametrize(
    ("vip", "real"), [(VIP4, ENDS[4][1]), (VIP6, ENDS[4][1]), (VIP4, ENDS[6][1])]
)
def test_knock_in_a_tunnel_has_a_source_of_each_family(vip: str, real: str) -> None:
    one = Connection(vip, 80, real, "web1", "eth0", Encapsulation())
    inside, outside = addresses_of(CARD, one) or ("", "")
    assert (":" in inside, ":" in outside) == (":" in vip, ":" in real)
    assert not inside.startswith("fe80:")
    assert Tunnel(real, outside, Encapsulation()).source == outside
    alone = Card("eth0", (("192.0.2.9", 24),))
    assert (addresses_of(alone, one) is None) == (":" in vip or ":" in real)
