"""What is said and heard on a segment by ARP and neighbour discovery."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from failover_stage import VIP, VIP6, Stage
from hypothesis import given, settings
from hypothesis import strategies as st
from netns_case import is_readable, run

from drctl.adapters import arp, nd
from drctl.adapters.arp import ArpSocket
from drctl.adapters.nd import NdSocket
from drctl.adapters.packet import Heard
from drctl.core.value import Vip
from drctl.errors import KernelRefused

OTHER, OTHER6 = "192.0.2.9", "2001:db8::9"
MAC = bytes.fromhex("020000000001")


@dataclass
class Ends:
    """The director's sockets, the client's, and who they are."""

    stage: Stage
    arp: ArpSocket
    nd: NdSocket

    @property
    def client_mac(self) -> str:
        return self.stage.client.host.mac()


@pytest.fixture
def ends(stage: Stage) -> Iterator[Ends]:
    made = Ends(
        stage,
        ArpSocket("eth0", [("192.0.2.1", 24), ("2001:db8::1", 64)]),
        NdSocket("eth0", [("192.0.2.1", 24), ("2001:db8::1", 64)]),
    )
    yield made
    made.arp.close()
    made.nd.close()


def hear(listener: ArpSocket | NdSocket, kind: str, within_ms: float = 2000) -> list[Heard]:
    """Frames of a kind: the first that come within that time, and what comes with them. Not what a
    host that is new asks: whether its link-local address is another's."""
    end = time.monotonic() + within_ms / 1000
    found: list[Heard] = []
    while not found and (left := end - time.monotonic()) > 0:
        if is_readable(listener, left * 1000):
            found = [
                each
                for each in listener.receive()
                if each.kind == kind and not (kind == "ns" and each.sender_address == "")
            ]
    return found


def test_arp_probe_is_answered_to_the_asker(ends: Ends) -> None:
    ends.arp.probe(OTHER)
    (answer,) = hear(ends.arp, "reply")
    assert answer == Heard("eth0", OTHER, ends.client_mac, "0.0.0.0", True, "reply")


def test_arp_probe_leaves_no_trace_in_the_neighbours_of_others(ends: Ends) -> None:
    ends.stage.client.host.ip("neighbour", "flush", "dev", "eth0")
    ends.arp.probe(OTHER)
    assert hear(ends.arp, "reply")
    assert ends.stage.mac not in ends.stage.client.host.ip("neighbour", "show")


@pytest.mark.parametrize("is_known", [False, True])
def test_arp_question_is_answered_to_our_own_address(ends: Ends, is_known: bool) -> None:
    ends.arp.ask(OTHER, ends.client_mac if is_known else None)
    (answer,) = hear(ends.arp, "reply")
    assert answer == Heard("eth0", OTHER, ends.client_mac, "192.0.2.1", True, "reply")


@pytest.mark.parametrize("is_known", [False, True])
def test_nd_question_is_answered_to_our_own_address(ends: Ends, is_known: bool) -> None:
    ends.nd.ask(OTHER6, ends.client_mac if is_known else None)
    (answer,) = hear(ends.nd, "na")
    assert answer == Heard("eth0", OTHER6, ends.client_mac, OTHER6, True, "na")


def test_unicast_question_to_a_wrong_mac_is_not_answered(ends: Ends) -> None:
    ends.arp.ask(OTHER, "02:00:00:00:00:77")
    ends.nd.ask(OTHER6, "02:00:00:00:00:77")
    assert hear(ends.arp, "reply", 50) == []
    assert hear(ends.nd, "na", 50) == []


def test_nd_probe_is_answered_to_all_and_no_answer_to_us(ends: Ends) -> None:
    ends.nd.probe(OTHER6)
    (answer,) = hear(ends.nd, "na")
    assert answer == Heard("eth0", OTHER6, ends.client_mac, OTHER6, False, "na")


def test_question_without_an_own_address_is_answered_all_the_same(ends: Ends) -> None:
    ends.arp.set_own([])
    ends.arp.ask(OTHER)
    (answer,) = hear(ends.arp, "reply")
    assert answer.is_to_me


def test_questions_of_others_are_heard(ends: Ends) -> None:
    ends.stage.client.arp.ask("192.0.2.44")
    assert hear(ends.arp, "request") == [
        Heard("eth0", OTHER, ends.client_mac, "192.0.2.44", False, "request")
    ]
    ends.stage.client.arp.probe("192.0.2.44")
    assert hear(ends.arp, "probe") == [
        Heard("eth0", "", ends.client_mac, "192.0.2.44", False, "probe")
    ]
    ends.stage.client.nd.ask("2001:db8::1")
    assert hear(ends.nd, "ns") == [
        Heard("eth0", OTHER6, ends.client_mac, "2001:db8::1", False, "ns")
    ]


def test_announcement_moves_the_vip_in_the_neighbours_of_others(ends: Ends) -> None:
    host = ends.stage.client.host
    for vip in (VIP, VIP6):
        place = (vip.address, "dev", "eth0", "lladdr", "02:00:00:00:00:55", "nud", "stale")
        host.ip("neighbour", "replace", *place)
    ends.stage.client.arp.receive()
    ends.stage.client.nd.receive()
    elsewhere = Vip("192.0.2.81", 24, "other0")
    ends.arp.announce([VIP, VIP6, elsewhere], 2)
    ends.nd.announce([VIP, VIP6, elsewhere], 2)
    heard = hear(ends.stage.client.arp, "announcement")
    assert (
        heard
        == [Heard("eth0", VIP.address, ends.stage.mac, VIP.address, False, "announcement")] * 4
    )
    assert len(hear(ends.stage.client.nd, "na")) == 2
    shown = host.ip("neighbour", "show")
    assert f"{VIP.address} dev eth0 lladdr {ends.stage.mac}" in shown
    assert f"{VIP6.address} dev eth0 lladdr {ends.stage.mac}" in shown


def test_changed_mac_is_used_at_once(ends: Ends) -> None:
    run("ip", "link", "set", "eth0", "address", "02:00:00:00:00:09")
    ends.arp.announce([VIP])
    heard = hear(ends.stage.client.arp, "announcement")
    assert {each.sender_mac for each in heard} == {"02:00:00:00:00:09"}


def test_link_that_is_down_refuses_and_hears_again_later(ends: Ends) -> None:
    run("ip", "link", "set", "eth0", "down")
    with pytest.raises(KernelRefused, match=r"probe 192\.0\.2\.9 on eth0: Network is down"):
        ends.arp.probe(OTHER)
    assert ends.arp.receive() == []
    run("ip", "link", "set", "eth0", "up")
    heard: list[Heard] = []
    for _ in range(20):  # the switch takes a moment to forward again
        ends.arp.ask(OTHER)
        if heard := hear(ends.arp, "reply", 100):
            break
    assert heard


def test_missing_interface_is_an_error_with_its_name(stage: Stage) -> None:
    assert stage.director
    with pytest.raises(KernelRefused, match="nosuch0"):
        ArpSocket("nosuch0")
    with pytest.raises(KernelRefused, match="nosuch0"):
        NdSocket("nosuch0")


def test_nothing_but_arp_and_nd_is_delivered(ends: Ends) -> None:
    with ends.stage.client.host.inside():
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        raw.bind(("eth0", 0))
    frame = arp.encode(
        arp.REQUEST, (MAC, b"\xc0\0\2\x50"), (bytes(6), b"\xc0\0\2\x51"), b"\xff" * 6
    )
    tagged = frame[:12] + b"\x81\x00\x00\x07" + frame[12:]
    for noise in (tagged, frame[:41], frame[:20] + b"\0\x03" + frame[22:]):
        raw.send(noise)
    raw.send(frame[:14] + b"\0\x06" + frame[16:])
    raw.send(frame)
    raw.close()
    assert is_readable(ends.arp, 2000)
    received = ends.arp._packets.receive()  # noqa: SLF001
    assert [each for each, _ in received if each[6:12] == MAC] == [frame]


@pytest.mark.parametrize("kind", ["bridge", "macvlan"])
def test_other_kinds_of_links_speak_and_hear(stage: Stage, kind: str) -> None:
    own = "192.0.2.3/24"
    if kind == "bridge":
        run("ip", "link", "add", "other", "type", "bridge", "forward_delay", "0")
        run("ip", "link", "set", "eth0", "master", "other")
    else:
        run("ip", "link", "add", "other", "link", "eth0", "type", "macvlan", "mode", "bridge")
    run("ip", "link", "set", "other", "up")
    run("ip", "address", "add", own, "dev", "other")
    asker = ArpSocket("other", [("192.0.2.3", 24)])
    heard: list[Heard] = []
    for _ in range(20):  # a bridge takes a moment to forward
        asker.ask(OTHER)
        if heard := hear(asker, "reply", 100):
            break
    assert heard[0] == Heard("other", OTHER, stage.client.host.mac(), "192.0.2.3", True, "reply")
    asker.announce([Vip("192.0.2.80", 24, "other")])
    announced = hear(stage.client.arp, "announcement")
    assert {each.sender_mac for each in announced} == {stage.director.mac("other")}
    asker.close()


def test_flood_is_counted_where_it_was_too_much(ends: Ends) -> None:
    assert ends.arp.lost() == 0
    many = [Vip(f"198.51.{n // 250}.{n % 250}", 32, "eth0") for n in range(2000)]
    ends.stage.client.arp.announce(many)
    heard = 0
    while is_readable(ends.arp, 20):
        heard += len(ends.arp.receive())
    assert heard + ends.arp.lost() >= 4000


# decoding, without a kernel


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_any_bytes_are_decoded_or_refused(frame: bytes) -> None:
    for decode in (arp.decode, nd.decode):
        heard = decode(frame, "eth0", is_to_me=True)
        assert heard is None or heard.sender_mac


GOOD_ARP = arp.encode(arp.REPLY, (MAC, b"\xc0\0\2\x50"), (MAC, b"\xc0\0\2\x01"), MAC)
NODE = socket.inet_pton(socket.AF_INET6, VIP6.address)
ASKER = socket.inet_pton(socket.AF_INET6, OTHER6)


def na(flags: int = 0x60000000, *, option: int = 2, destination: bytes = ASKER) -> bytes:
    return nd.encode((NODE, destination), (MAC, MAC), (nd.ADVERTISEMENT, flags, NODE), option)


@given(st.data())
@settings(deadline=None)
def test_changed_frames_are_decoded_or_refused(data: st.DataObject) -> None:
    for frame, decode in ((GOOD_ARP, arp.decode), (na(), nd.decode)):
        bent = bytearray(frame[: data.draw(st.integers(0, len(frame)))])
        for at in data.draw(st.lists(st.integers(0, max(0, len(bent) - 1)), max_size=4)):
            if bent:
                bent[at] = data.draw(st.integers(0, 255))
        heard = decode(bytes(bent), "eth0", is_to_me=False)
        assert heard is None or len(heard.sender_mac) == 17


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (12, b"\x08\x00"),
        (14, b"\x00\x06"),
        (16, b"\x86\xdd"),
        (18, b"\x08"),
        (19, b"\x10"),
        (20, b"\x00\x03"),
        (22, bytes(6)),
        (22, b"\x01\x00\x5e\x00\x00\x01"),
        (22, b"\xff" * 6),
        (28, bytes(4)),
        (28, b"\xe0\x00\x00\x12"),
        (28, b"\xff\xff\xff\xff"),
    ],
)
def test_improper_arp_is_refused(at: int, value: bytes) -> None:
    assert arp.decode(GOOD_ARP, "eth0", is_to_me=True) is not None
    bent = GOOD_ARP[:at] + value + GOOD_ARP[at + len(value) :]
    assert arp.decode(bent, "eth0", is_to_me=True) is None


def test_padding_after_a_frame_is_no_part_of_it() -> None:
    assert arp.decode(GOOD_ARP + bytes(18), "eth0", is_to_me=False) is not None
    assert nd.decode(na() + bytes(18), "eth0", is_to_me=False) is not None


def test_nd_speaks_for_its_target_with_the_mac_of_the_option() -> None:
    frame = na()
    relayed = frame[:6] + b"\x02\0\0\0\0\x77" + frame[12:]
    heard = nd.decode(relayed, "eth0", is_to_me=True)
    assert heard == Heard("eth0", VIP6.address, MAC.hex(":"), VIP6.address, True, "na")
    bare = nd.decode(na(option=0), "eth0", is_to_me=True)
    assert bare is not None
    assert bare.sender_mac == MAC.hex(":")


def test_unsolicited_na_is_no_answer() -> None:
    heard = nd.decode(na(0x20000000), "eth0", is_to_me=True)
    assert heard is not None
    assert not heard.is_to_me


def resum(frame: bytes) -> bytes:
    """The frame with a right checksum."""
    message = frame[54:56] + bytes(2) + frame[58:]
    total = nd.checksum(frame[22:38], frame[38:54], message)
    return frame[:56] + total.to_bytes(2, "big") + frame[58:]


SOLICITATION = nd.encode(
    (bytes(16), nd.solicited_node(NODE)), (MAC, MAC), (nd.SOLICITATION, 0, NODE), 0
)


@pytest.mark.parametrize(
    "bent",
    [
        na()[:-1],
        na()[:56] + b"\0\0" + na()[58:],
        na()[:21] + b"\xfe" + na()[22:],
        na()[:14] + b"\x50" + na()[15:],
        resum(na()[:55] + b"\x01" + na()[56:]),
        resum(na()[:54] + b"\x85" + na()[55:]),
        resum(na()[:62] + b"\xff\x02" + na()[64:]),
        resum(na()[:79] + b"\x00" + na()[80:]),
        resum(na()[:79] + b"\x02" + na()[80:]),
        resum(na()[:80] + b"\x01" + na()[81:]),
        na(destination=socket.inet_pton(socket.AF_INET6, "ff02::1")),
        nd.encode((bytes(16), ASKER), (MAC, MAC), (nd.SOLICITATION, 0, NODE), 0),
        nd.encode((bytes(16), nd.solicited_node(NODE)), (MAC, MAC), (nd.SOLICITATION, 0, NODE), 1),
    ],
)
def test_improper_nd_is_refused(bent: bytes) -> None:
    assert nd.decode(na(), "eth0", is_to_me=True) is not None
    assert nd.decode(SOLICITATION, "eth0", is_to_me=False) is not None
    assert nd.decode(bent, "eth0", is_to_me=True) is None
