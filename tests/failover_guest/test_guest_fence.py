"""The fence silences a VIP on every kind of device: nftables' arp family sees its frames there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from device_case import KINDS, MACVLAN, Devices, Kind, devices

from drctl.adapters.fence import Fence
from drctl.core.value import Vip

KERNELS = ("qemu",)
Heard = list[dict[Kind, set[str]]]


@pytest.fixture(scope="module")
def bare(kernel: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devices]:
    """The devices, without daemons."""
    with devices(tmp_path_factory.mktemp("bare"), kernel, is_running=False) as built:
        yield built


@pytest.fixture(scope="module")
def heard(bare: Devices) -> Heard:
    """Who answers for each kind, as the fence is prepared, opened, shut, opened and closed for
    all of them: an emulated machine takes its time to hear, so all are heard in the same while."""
    host = bare.directors["lb1"].host
    with host.inside():
        fence = Fence("drctl", 600_000)
        try:
            fence.prepare({kind.name: (Vip(kind.vip, 26, kind.device),) for kind in KINDS})
            for kind in KINDS:
                host.ip("address", "add", f"{kind.vip}/26", "dev", kind.device)
            found = [bare.answering(KINDS)]
            for change in (fence.open, fence.shut_arp, fence.open, fence.close):
                for kind in KINDS:
                    change(kind.name)
                found.append(bare.answering(KINDS))
        finally:
            fence.remove()
            fence.close_sockets()
    return found


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_vip_on_device_is_answered_only_while_the_fence_is_open(
    bare: Devices, heard: Heard, kind: Kind
) -> None:
    host = bare.directors["lb1"].host
    macs = {host.mac(kind.device)} | ({host.mac("eth0")} if kind is MACVLAN else set())
    assert [each[kind] for each in heard] == [set(), macs, set(), macs, set()]
