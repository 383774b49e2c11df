"""A fence whose groups get other VIPs, or another lease, while they are open."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from failover_stage import VIP, Stage
from netns_case import run, wait_until

from drctl.adapters.fence import Fence, Gate
from drctl.errors import KernelRefused
from tools import need

LONG_MS, SHORT_MS = 30_000, 300
OTHER = replace(VIP, address="192.0.2.251")
WEB, SHOP, LEAVING = "web", "shop", "leaving"


@pytest.fixture
def fence(stage: Stage) -> Iterator[Fence]:
    """Two open groups of one VIP each, on a host that has both."""
    need("nft", "nftables")
    for vip in (VIP, OTHER):
        stage.director.ip("address", "add", f"{vip.address}/{vip.prefix}", "dev", vip.interface)
    made = Fence(fence_ms=LONG_MS)
    made.prepare({WEB: (VIP,), SHOP: (OTHER,)}, open_groups=(WEB, SHOP))
    yield made
    made.close_sockets()
    run("nft", "flush", "ruleset")


def test_vip_goes_from_group_to_group_and_no_question_is_missed(fence: Fence, stage: Stage) -> None:
    layouts = (
        {WEB: (VIP, OTHER), SHOP: ()},
        {WEB: (OTHER,), SHOP: (VIP,)},
        {"renamed": (VIP, OTHER)},
        {WEB: (VIP,), SHOP: (OTHER,)},
    )
    end, turn = time.monotonic() + 1, 0
    while time.monotonic() < end:
        layout = layouts[turn % len(layouts)]
        fence.prepare(layout, open_groups=layout)
        assert stage.client.is_answered(VIP.address), layout
        assert stage.client.is_answered(OTHER.address), layout
        turn += 1
    assert turn > len(layouts)


def test_vip_that_leaves_is_silent_at_once_and_the_others_are_not(
    fence: Fence, stage: Stage
) -> None:
    fence.prepare({WEB: (VIP,), SHOP: (), LEAVING: (OTHER,)}, open_groups=(WEB,))
    assert not stage.client.has_holder(OTHER.address)
    assert stage.client.is_answered(VIP.address)
    assert fence.state()[LEAVING] is Gate.CLOSED


def test_other_lease_counts_from_the_next_renewal_on(fence: Fence, stage: Stage) -> None:
    groups = {WEB: (VIP,), SHOP: (OTHER,)}
    fence.use_lease(SHORT_MS)
    assert not fence.prepare(groups, open_groups=groups)
    assert fence.left_ms(WEB) > SHORT_MS
    assert fence.renew(WEB)
    assert fence.left_ms(WEB) <= SHORT_MS
    fence.use_lease(LONG_MS)
    fence.prepare(groups, open_groups=groups)
    assert fence.left_ms(WEB) <= SHORT_MS
    assert fence.renew(WEB)
    assert fence.left_ms(WEB) > SHORT_MS
    wait_until(time.monotonic() + SHORT_MS / 1000)
    assert stage.client.is_answered(VIP.address)


def test_layout_that_the_kernel_refuses_leaves_all_as_it_was(fence: Fence, stage: Stage) -> None:
    fence.table_name = "x" * 300
    with pytest.raises(KernelRefused):
        fence.prepare({WEB: (VIP,), SHOP: (), LEAVING: (OTHER,)}, open_groups=(WEB,))
    fence.table_name = "drctl"
    assert fence.renew(WEB)
    assert fence.renew(SHOP)
    assert stage.client.is_answered(OTHER.address)
