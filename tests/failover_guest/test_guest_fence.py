"""The fence silences a VIP on every kind of device: nftables' arp family sees its frames there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from device_case import KINDS, MACVLAN, Devices, Kind, devices

from drctl.adapters.fence import Fence
from drctl.core.value import Vip

KERNELS = ("qemu",)
GROUP = "web"


@pytest.fixture(scope="module")
def bare(kernel: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devices]:
    """The devices, without daemons."""
    with devices(tmp_path_factory.mktemp("bare"), kernel, is_running=False) as built:
        yield built


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_vip_on_device_is_answered_only_while_the_fence_is_open(bare: Devices, kind: Kind) -> None:
    host = bare.directors["lb1"].host
    macs = {host.mac(kind.device)} | ({host.mac("eth0")} if kind is MACVLAN else set())
    place = (f"{kind.vip}/26", "dev", kind.device)
    with host.inside():
        fence = Fence("drctl", 600_000)
        try:
            fence.prepare({GROUP: (Vip(kind.vip, 26, kind.device),)})
            host.ip("address", "add", *place)
            heard = [bare.answering_macs(kind)]
            for change in (fence.open, fence.shut_arp, fence.open, fence.close):
                change(GROUP)
                heard.append(bare.answering_macs(kind))
        finally:
            fence.remove()
            fence.close_sockets()
    host.ip("address", "delete", *place)
    assert heard == [set(), macs, set(), macs, set()]
