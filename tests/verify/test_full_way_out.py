"""A card that has no room for a frame at the moment, as on a busy machine."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from netns_case import segment
from verify_case import vrrp_instance

from drctl.adapters.packet import PATIENCE_S, PacketSocket, frame_filter
from drctl.errors import KernelRefused
from drctl.lab.pair.host import Host
from tools import need

ETHERTYPE = 0x88B5
"""For local experiments (IEEE 802)."""
VIPS = [f"192.0.2.{number}" for number in range(100, 180)]
FRAMES = [b"\xff" * 6 + b"\x02" + bytes(5) + b"\x88\xb5" + bytes(46) for _ in range(100)]
NOTHING = frame_filter([(2, 12, (0xFFFF,))], 60, 60)


@pytest.fixture
def busy() -> Iterator[Host]:
    """A host whose card takes some 500 frames a second, and keeps 25 waiting."""
    need("tc", "iproute2")
    with segment() as made:
        host = made.host("mon", "192.0.2.9/24")
        made.host("lb1", "192.0.2.1/24", *(f"{vip}/32" for vip in VIPS))
        made.host("lb2", "192.0.2.2/24")
        limits = ("rate", "250kbit", "burst", "1600", "limit", "1600")
        host.run("tc", "qdisc", "add", "dev", "eth0", "root", "tbf", *limits)
        yield host


def test_frames_after_one_that_had_no_room_are_sent_all_the_same(busy: Host) -> None:
    with busy.inside():
        packets = PacketSocket("eth0", ETHERTYPE, NOTHING)
    with pytest.raises(KernelRefused, match=r"\d+ of 100 frames") as refused:
        packets.send(FRAMES, "send")
    packets.close()
    assert refused.value.errno == errno.ENOBUFS


def test_who_may_wait_sends_all(busy: Host) -> None:
    with busy.inside():
        packets = PacketSocket("eth0", ETHERTYPE, NOTHING, PATIENCE_S)
    packets.send(FRAMES, "send")
    packets.close()
    told = busy.run("tc", "-s", "qdisc", "show", "dev", "eth0")
    assert int(told.split("Sent ")[1].split()[2]) + 30 >= len(FRAMES)


def test_verify_is_not_ended_by_it(busy: Host, tmp_path: Path) -> None:
    path = tmp_path / "keepalived.conf"
    path.write_text(vrrp_instance(*(f"{vip}/24" for vip in VIPS)))
    command = busy.command(sys.executable, "-m", "drctl", "verify", str(path))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done
