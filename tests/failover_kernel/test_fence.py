"""The fence, judged by a client's questions on a real kernel."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator

import pytest
from failover_stage import ANSWER_MS, PATIENT_MS, VIP, VIP6, Client, Stage
from netns_case import is_readable, run, wait_until

from drctl.adapters.fence import Fence, FenceGone, Gate, unusable_reason
from drctl.core.value import Vip
from drctl.errors import DrctlError
from tools import need

SHORT_MS = 300
"""A lease whose end a test waits for."""

LONG_MS = 30_000
"""One that no test outlives."""
GROUP = "VI_1"
BOTH = {GROUP: (VIP, VIP6)}


@pytest.fixture
def fence(fenced_stage: Stage) -> Iterator[Fence]:
    """A prepared fence, closed, on a host that has the VIPs."""
    need("nft", "nftables")
    for vip in (VIP, VIP6):
        nodad = ("nodad",) if vip.is_v6 else ()
        place = (f"{vip.address}/{vip.prefix}", "dev", vip.interface)
        fenced_stage.director.ip("address", "add", *place, *nodad)
    made = Fence(fence_ms=LONG_MS)
    made.prepare(BOTH)
    yield made
    made.close_sockets()
    run("nft", "flush", "ruleset")


@pytest.fixture
def client(fenced_stage: Stage) -> Client:
    return fenced_stage.client


class Knocker:
    """Packets from the client to a VIP whose MAC it knows already."""

    def __init__(self, stage: Stage, vip: Vip) -> None:
        family = socket.AF_INET6 if vip.is_v6 else socket.AF_INET
        mac = stage.director.mac()
        place = ("dev", "eth0", "lladdr", mac, "nud", "permanent")
        stage.client.host.ip("neighbour", "replace", vip.address, *place)
        self.door = socket.socket(family, socket.SOCK_DGRAM)
        self.door.bind((vip.address, 7))
        with stage.client.host.inside():
            self.outside = socket.socket(family, socket.SOCK_DGRAM)
        self.address = vip.address

    def is_let_in(self, within_ms: int = ANSWER_MS) -> bool:
        self.outside.sendto(b"knock", (self.address, 7))
        if not is_readable(self.door, within_ms):
            return False
        self.door.recv(16)
        return True

    def close(self) -> None:
        self.door.close()
        self.outside.close()


@pytest.fixture(params=[VIP, VIP6], ids=["ipv4", "ipv6"])
def knocker(request: pytest.FixtureRequest, fence: Fence, fenced_stage: Stage) -> Iterator[Knocker]:
    assert fence.state() == {GROUP: Gate.CLOSED}
    made = Knocker(fenced_stage, request.param)
    yield made
    made.close()


@pytest.mark.parametrize("vip", [VIP, VIP6], ids=["ipv4", "ipv6"])
def test_question_for_a_vip_is_answered_only_while_the_fence_is_open(
    fence: Fence, client: Client, vip: Vip, fenced_stage: Stage
) -> None:
    assert not client.has_holder(vip.address)
    fence.open(GROUP)
    assert client.holders(vip.address, PATIENT_MS) == {fenced_stage.director.mac()}
    fence.close(GROUP)
    assert not client.has_holder(vip.address)


@pytest.mark.parametrize("own", ["192.0.2.1", "2001:db8::1"])
def test_own_address_is_answered_behind_a_closed_fence(
    fence: Fence, client: Client, own: str
) -> None:
    assert fence.state() == {GROUP: Gate.CLOSED}
    assert client.is_answered(own)


def test_question_behind_a_closed_fence_leaves_no_trace_here(
    fence: Fence, client: Client, fenced_stage: Stage
) -> None:
    """It is dropped as it comes in: the kernel does not even learn who asked."""
    traces = []
    for is_open in (False, True):
        if is_open:
            fence.open(GROUP)
        run("ip", "neighbour", "flush", "dev", "eth0")
        patience_ms = PATIENT_MS if is_open else ANSWER_MS
        assert bool(client.holders(VIP.address, patience_ms)) == is_open
        traces.append("192.0.2.9 " in run("ip", "neighbour", "show", "dev", "eth0"))
    assert traces == [False, True]
    assert fenced_stage.mac


def test_packet_is_accepted_only_while_the_fence_is_open(fence: Fence, knocker: Knocker) -> None:
    assert not knocker.is_let_in()
    fence.open(GROUP)
    assert knocker.is_let_in(PATIENT_MS)
    fence.close(GROUP)
    assert not knocker.is_let_in()


@pytest.mark.parametrize("vip", [VIP, VIP6], ids=["ipv4", "ipv6"])
def test_closed_fence_lets_no_question_out_in_the_name_of_the_vip(
    fence: Fence, client: Client, vip: Vip
) -> None:
    """A packet from the VIP to a stranger makes the kernel ask for that one, as the VIP."""
    listener = client.nd if vip.is_v6 else client.arp
    stranger = "2001:db8::66" if vip.is_v6 else "192.0.2.66"
    heard = {}
    for is_open in (False, True):
        if is_open:
            fence.open(GROUP)
        listener.receive()
        run("ip", "neighbour", "flush", "dev", "eth0")
        family = socket.AF_INET6 if vip.is_v6 else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as it:
            it.bind((vip.address, 0))
            it.sendto(b"x", (stranger, 9))
        heard[is_open] = is_readable(listener, PATIENT_MS if is_open else 60) and any(
            each.sender_address == vip.address for each in listener.receive()
        )
    assert heard == {False: False, True: True}


@pytest.mark.parametrize("vip", [VIP, VIP6], ids=["ipv4", "ipv6"])
def test_standby_that_is_a_real_server_serves_behind_a_closed_fence(
    fenced_stage: Stage, fence: Fence, vip: Vip
) -> None:
    """Its VIP is on `lo`, and what the active director forwards comes by the network."""
    place = f"{vip.address}/{128 if vip.is_v6 else 32}"
    fenced_stage.director.ip_batch(
        f"address delete {vip.address}/{vip.prefix} dev eth0", f"address add {place} dev lo"
    )
    knocker = Knocker(fenced_stage, vip)
    assert knocker.is_let_in(PATIENT_MS)
    assert not fenced_stage.client.has_holder(vip.address)
    fenced_stage.director.ip("address", "add", f"{vip.address}/{vip.prefix}", "dev", "eth0")
    fenced_stage.director.ip("address", "delete", place, "dev", "lo")
    knocker.close()
    assert fence.state() == {GROUP: Gate.CLOSED}


def test_fence_shut_for_arp_accepts_packets_and_answers_nobody(
    fence: Fence, knocker: Knocker, client: Client
) -> None:
    fence.open(GROUP)
    fence.shut_arp(GROUP)
    assert not client.has_holder(knocker.address)
    assert knocker.is_let_in(PATIENT_MS)
    assert fence.renew(GROUP)
    assert not client.has_holder(knocker.address)
    fence.open(GROUP)
    assert client.is_answered(knocker.address)


def test_fence_shut_for_arp_closes_wholly_when_its_lease_ends(
    fence: Fence, knocker: Knocker
) -> None:
    fence.fence_ms = SHORT_MS
    fence.open(GROUP)
    fence.shut_arp(GROUP)
    wait_until(time.monotonic() + (SHORT_MS + 40) / 1000)
    assert not knocker.is_let_in()
    assert not fence.renew(GROUP)
    assert not knocker.is_let_in()


def test_shutting_a_closed_fence_opens_nothing(fence: Fence, knocker: Knocker) -> None:
    fence.shut_arp(GROUP)
    assert not knocker.is_let_in()
    assert not fence.renew(GROUP)


def test_lease_ends_by_itself_in_time(fence: Fence, client: Client) -> None:
    fence.fence_ms = SHORT_MS
    fence.open(GROUP)
    opened = last = time.monotonic()
    while client.holders(VIP.address, 5):
        last = time.monotonic()
    assert SHORT_MS - 60 < (last - opened) * 1000 < SHORT_MS + 40


def test_renewed_lease_misses_no_question(fence: Fence, client: Client) -> None:
    fence.fence_ms = SHORT_MS
    fence.open(GROUP)
    end = time.monotonic() + 3 * SHORT_MS / 1000
    asked = 0
    while time.monotonic() < end:
        assert fence.renew(GROUP)
        assert client.is_answered(VIP.address)
        asked += 1
    assert asked > 20


def test_lease_that_is_over_cannot_be_renewed(fence: Fence, client: Client) -> None:
    fence.fence_ms = SHORT_MS
    fence.open(GROUP)
    wait_until(time.monotonic() + (SHORT_MS + 40) / 1000)
    assert not fence.renew(GROUP)
    assert not client.has_holder(VIP.address)
    assert fence.state() == {GROUP: Gate.CLOSED}
    fence.open(GROUP)
    assert client.is_answered(VIP.address)


def test_group_that_was_never_opened_cannot_be_renewed(fence: Fence) -> None:
    assert not fence.renew(GROUP)
    assert fence.state() == {GROUP: Gate.CLOSED}


def test_flushed_rules_are_noticed_and_put_back_with_what_is_left_of_the_lease(
    fence: Fence, client: Client
) -> None:
    need("nft", "nftables")
    fence.open(GROUP)
    assert fence.events() == []
    run("nft", "flush", "ruleset")
    assert is_readable(fence, 100)
    assert any("table deleted" in event for event in fence.events())
    with pytest.raises(FenceGone):
        fence.renew(GROUP)
    with pytest.raises(FenceGone):
        fence.state()
    assert fence.prepare(BOTH, open_groups=[GROUP])
    assert 0 < fence.left_ms(GROUP) < LONG_MS
    assert fence.renew(GROUP)
    assert client.is_answered(VIP.address)


def test_flushed_rules_are_put_back_closed_when_the_lease_is_over(fence: Fence) -> None:
    need("nft", "nftables")
    fence.fence_ms = SHORT_MS
    fence.open(GROUP)
    run("nft", "flush", "ruleset")
    wait_until(time.monotonic() + (SHORT_MS + 20) / 1000)
    fence.prepare(BOTH, open_groups=[GROUP])
    assert fence.state() == {GROUP: Gate.CLOSED}
    assert not fence.renew(GROUP)


@pytest.mark.parametrize(
    "harm",
    [
        "flush chain arp drctl input",
        "delete element ip drctl vips { 192.0.2.80 }",
        "flush chain ip6 drctl output",
        "add table arp drctl { flags dormant; }",
        "delete table ip drctl",
    ],
)
def test_damage_is_noticed_and_mended_while_the_group_is_open(
    fence: Fence, client: Client, harm: str
) -> None:
    need("nft", "nftables")
    fence.open(GROUP)
    run("nft", harm)
    assert is_readable(fence, 100)
    assert fence.events()
    assert fence.prepare(BOTH, open_groups=[GROUP])
    assert fence.state() == {GROUP: Gate.OPEN}
    assert client.is_answered(VIP.address)
    fence.close(GROUP)
    assert not client.has_holder(VIP.address)
    assert not client.has_holder(VIP6.address)


def test_news_that_was_lost_counts_as_damage(fence: Fence) -> None:
    watch = fence._watch._netlink._socket  # noqa: SLF001
    watch.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    for number in range(30):
        run("nft", "add", "table", "ip", f"theirs{number}")
    assert fence.events() == ["notifications were lost"]
    assert fence.events() == []
    assert fence.state() == {GROUP: Gate.CLOSED}


def test_own_deeds_are_no_events(fence: Fence) -> None:
    fence.open(GROUP)
    fence.renew(GROUP)
    fence.shut_arp(GROUP)
    fence.close(GROUP)
    fence.prepare({GROUP: (VIP,)})
    assert fence.events() == []


def test_second_preparation_changes_nothing(fence: Fence) -> None:
    before = run("nft", "list", "ruleset")
    assert not fence.prepare(BOTH)
    assert run("nft", "list", "ruleset") == before


def test_another_vip_leaves_an_open_group_open(fence: Fence, client: Client) -> None:
    fence.open(GROUP)
    other = Vip("192.0.2.81", 24, "eth0")
    assert fence.prepare({GROUP: (VIP, VIP6, other), "new": ()}, open_groups=[GROUP])
    assert fence.state() == {GROUP: Gate.OPEN, "new": Gate.CLOSED}
    assert client.is_answered(VIP.address)
    assert fence.renew(GROUP)


def test_group_that_is_taken_out_is_not_fenced_any_more(fence: Fence, client: Client) -> None:
    fence.prepare({"other": (Vip("192.0.2.99", 24, "eth0"),)})
    assert client.is_answered(VIP.address)
    assert not client.has_holder("192.0.2.99")


def test_groups_are_leased_apart(fence: Fence, client: Client) -> None:
    fence.prepare({"täst 'x' {": (VIP,), "VI-1;": (VIP6,)}, open_groups=["VI-1;"])
    assert not client.has_holder(VIP.address)
    assert client.is_answered(VIP6.address)
    assert fence.renew("VI-1;")
    assert not fence.renew("täst 'x' {")


def test_fence_of_an_earlier_process_is_adopted_only_while_it_lives(fence: Fence) -> None:
    heir = Fence(fence_ms=LONG_MS)
    heir.prepare(BOTH, open_groups=[GROUP])
    assert heir.state() == {GROUP: Gate.CLOSED}
    fence.open(GROUP)
    second = Fence(fence_ms=2 * LONG_MS)
    second.prepare(BOTH, open_groups=[GROUP])
    assert second.state() == {GROUP: Gate.OPEN}
    assert second.left_ms(GROUP) > LONG_MS
    for each in (heir, second):
        each.close_sockets()


def test_one_more_group_is_prepared_beside_the_others(fence: Fence) -> None:
    fence.open(GROUP)
    fence.prepare_group("more", (Vip("192.0.2.90", 24, "eth0"),), Gate.SHUT)
    assert fence.state() == {GROUP: Gate.OPEN, "more": Gate.SHUT}


def test_tables_of_others_are_left_alone(fence: Fence) -> None:
    run("nft", "add table inet theirs { chain c { tcp dport 1 drop; }; }")
    theirs = run("nft", "list", "table", "inet", "theirs")
    fence.prepare({GROUP: (VIP,)})
    fence.open(GROUP)
    assert run("nft", "list", "table", "inet", "theirs") == theirs
    fence.remove()
    assert run("nft", "list", "ruleset") == theirs


def test_listing_by_nft_can_be_loaded_again(fence: Fence, fenced_stage: Stage) -> None:
    need("nft", "nftables")
    listing = run("nft", "list", "ruleset")
    run("nft", "flush ruleset; " + listing)
    assert run("nft", "list", "ruleset") == listing
    assert not fenced_stage.client.has_holder(VIP.address)
    fence.open(GROUP)
    assert fenced_stage.client.is_answered(VIP.address)


def test_thousand_vips_cost_no_more_to_renew(fence: Fence) -> None:
    many = tuple(Vip(f"198.51.{n // 250}.{n % 250}", 32, "eth0") for n in range(1000))
    fence.prepare({"one": (VIP,), "many": many}, open_groups=["one", "many"])
    cost = {"one": 0.0, "many": 0.0}
    for _ in range(10):
        for group in cost:
            before = time.process_time()
            for _ in range(50):
                assert fence.renew(group)
            cost[group] += time.process_time() - before
    assert cost["many"] < 1.5 * cost["one"], f"{cost} s of processor time for 500 renewals"


def test_fence_without_rights_is_reported_in_words(fenced_stage: Stage) -> None:
    assert unusable_reason() == ""
    assert run("nft", "list", "ruleset") == "", "the question left something behind"
    heard, said = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setuid(65534)
            os.write(said, unusable_reason().encode())
        finally:
            os._exit(0)
    os.close(said)
    with os.fdopen(heard, "r") as answer:
        reason = answer.read()
    os.waitpid(child, 0)
    assert "no right" in reason, reason
    assert fenced_stage.director


def test_group_that_was_never_prepared_is_refused(fence: Fence) -> None:
    fence.remove()
    with pytest.raises((DrctlError, KeyError)):
        fence.open(GROUP)
