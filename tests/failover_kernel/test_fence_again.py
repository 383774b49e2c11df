"""A fence that an earlier process has left: what a starting one may open, and what not."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from failover_stage import VIP, Stage
from netns_case import run, wait_until

from drctl.adapters.fence import Fence, Gate
from tools import need

FENCE_MS = 300
GROUP = "VI_1"


@pytest.fixture
def earlier(stage: Stage) -> Iterator[Fence]:
    """A fence of an earlier process, open for one lease, on a host that has the VIP."""
    need("nft", "nftables")
    stage.director.ip("address", "add", f"{VIP.address}/{VIP.prefix}", "dev", "eth0")
    made = Fence(fence_ms=FENCE_MS)
    made.prepare({GROUP: (VIP,)}, open_groups=(GROUP,))
    yield made
    made.close_sockets()
    run("nft", "flush", "ruleset")


@pytest.mark.usefixtures("earlier")
def test_fence_that_still_lives_is_kept_open_by_the_next_process(stage: Stage) -> None:
    later = Fence(fence_ms=FENCE_MS)
    later.prepare({GROUP: (VIP,)}, open_groups=(GROUP,))
    assert later.state() == {GROUP: Gate.OPEN}
    assert stage.client.has_holder(VIP.address)
    later.close_sockets()


@pytest.mark.usefixtures("earlier")
def test_fence_that_has_closed_is_not_opened_by_preparing_it(stage: Stage) -> None:
    wait_until(time.monotonic() + (FENCE_MS + 60) / 1000)
    later = Fence(fence_ms=FENCE_MS)
    later.prepare({GROUP: (VIP,)}, open_groups=(GROUP,))
    assert later.state() == {GROUP: Gate.CLOSED}
    assert not stage.client.has_holder(VIP.address)
    later.close_sockets()


def test_vip_without_any_fence_goes_on_answering_when_the_first_one_is_made(stage: Stage) -> None:
    need("nft", "nftables")
    stage.director.ip("address", "add", f"{VIP.address}/{VIP.prefix}", "dev", "eth0")
    first = Fence(fence_ms=FENCE_MS)
    try:
        first.prepare({GROUP: (VIP,)}, open_groups=(GROUP,))
        assert stage.client.has_holder(VIP.address)
    finally:
        first.close_sockets()
        run("nft", "flush", "ruleset")


def test_group_that_had_no_vip_opens_with_its_first_one(stage: Stage) -> None:
    need("nft", "nftables")
    stage.director.ip("address", "add", f"{VIP.address}/{VIP.prefix}", "dev", "eth0")
    fence = Fence(fence_ms=FENCE_MS)
    try:
        fence.prepare({GROUP: (VIP,)}, open_groups=(GROUP,))
        fence.prepare({GROUP: ()}, open_groups=(GROUP,))
        wait_until(time.monotonic() + (FENCE_MS + 60) / 1000)
        fence.prepare({GROUP: (VIP,)}, open_groups=(GROUP,))
        assert fence.state() == {GROUP: Gate.OPEN}
        assert fence.renew(GROUP)
        assert stage.client.has_holder(VIP.address)
    finally:
        fence.close_sockets()
        run("nft", "flush", "ruleset")
