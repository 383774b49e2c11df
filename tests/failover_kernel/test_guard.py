"""The guard gives the VIPs up when its controller dies, whatever else happens to it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from failover_stage import PATIENT_MS, VIP, VIP6, Stage, many_vips
from netns_case import run, wait_until

from drctl.adapters.addresses import Addresses
from drctl.daemon.guard_client import GuardClient, GuardLost, Lock, LockTaken
from drctl.daemon.guard_protocol import END, HELD, HOLD, GuardSpokeWrongly, frame
from drctl.errors import DrctlError

STAND_IN = Path(__file__).parent.parent / "guard_stand_in.py"
FENCE_MS = 60_000
"""So long that what is seen is the guard's doing."""


@dataclass
class Controller:
    """A running stand-in, its guard's process id, and a pidfd of that."""

    process: subprocess.Popen[str]
    guard: int
    pidfd: int
    lock: Path

    def say(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill_guard(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def is_guard_gone(self, within_ms: float = 20_000) -> bool:
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        return bool(poll.poll(within_ms))


Start = Callable[..., Controller]


@pytest.fixture
def start(fenced_stage: Stage, tmp_path: Path) -> Iterator[Start]:
    """Starts a stand-in with so many VIPs."""
    assert fenced_stage.director
    started: list[Controller] = []

    def begin(count: int = 2, fence_ms: int = FENCE_MS, renew_ms: int = 1000) -> Controller:
        lock = tmp_path / "lock"
        process = subprocess.Popen(
            [sys.executable, str(STAND_IN), str(lock), str(count), str(fence_ms), str(renew_ms)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        words = process.stdout.readline().split()
        assert words[:1] == ["ready"], words
        guard = int(words[1])
        started.append(Controller(process, guard, os.pidfd_open(guard), lock))
        return started[-1]

    yield begin
    for each in started:
        each.kill_guard()
        each.process.kill()
        each.process.communicate()
        assert each.is_guard_gone()
        os.close(each.pidfd)
    run("nft", "flush", "ruleset")


def vips_present() -> set[str]:
    addresses = Addresses()
    try:
        named = {vip.address for vip in many_vips(1000)}
        return named & {each.address for each in addresses.observed()}
    finally:
        addresses.close()


def test_killed_controller_leaves_no_holder(start: Start, stage: Stage) -> None:
    controller = start()
    assert stage.client.holders(VIP.address, PATIENT_MS) == {stage.mac}
    assert stage.client.holders(VIP6.address, PATIENT_MS) == {stage.mac}
    killed = time.monotonic()
    controller.process.kill()
    while stage.client.holders(VIP.address, 5):
        assert time.monotonic() < killed + 1, "it is still answered"
    assert controller.is_guard_gone()
    assert vips_present() == set()
    assert not stage.client.has_holder(VIP6.address)
    run("ip", "address", "add", f"{VIP.address}/24", "dev", "eth0")
    assert not stage.client.has_holder(VIP.address), "the fence is not closed"


def test_killed_controller_of_a_thousand_vips_leaves_none(start: Start, stage: Stage) -> None:
    controller = start(1000)
    assert len(vips_present()) == 1000
    controller.process.kill()
    assert controller.is_guard_gone()
    assert vips_present() == set()
    assert stage.client.is_answered("192.0.2.1")


def test_guard_without_a_fence_deletes_the_addresses(start: Start, stage: Stage) -> None:
    controller = start(fence_ms=0)
    assert stage.client.is_answered(VIP.address)
    controller.process.kill()
    assert controller.is_guard_gone()
    assert vips_present() == set()


def test_addresses_that_somebody_changed_are_deleted_all_the_same(start: Start) -> None:
    controller = start()
    run("ip", "address", "add", f"{VIP.address}/32", "dev", "lo")
    run("ip", "address", "add", f"{VIP.address}/29", "dev", "eth0")
    controller.process.kill()
    assert controller.is_guard_gone()
    assert vips_present() == set()


def test_flushed_fence_does_not_hinder_the_guard(start: Start) -> None:
    controller = start()
    run("nft", "flush", "ruleset")
    controller.process.kill()
    assert controller.is_guard_gone()
    assert vips_present() == set()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"])
def test_signal_does_not_end_the_guard(start: Start, name: str) -> None:
    controller = start()
    signal.pidfd_send_signal(controller.pidfd, getattr(signal, name))
    assert not controller.is_guard_gone(50)
    controller.process.kill()
    assert controller.is_guard_gone()
    assert vips_present() == set()


def test_guard_is_in_a_session_of_its_own_and_small(start: Start) -> None:
    controller = start()
    assert os.getsid(controller.guard) == controller.guard
    status = Path(f"/proc/{controller.guard}/status").read_text("ascii")
    (resident,) = [line for line in status.splitlines() if line.startswith("VmRSS")]
    assert int(resident.split()[1]) < 16 * 1024, resident
    loaded = Path(f"/proc/{controller.guard}/maps").read_text("ascii")
    assert "zmq" not in loaded


def test_both_killed_leave_the_fence_to_end_by_itself(start: Start, stage: Stage) -> None:
    fence_ms = 400
    controller = start(fence_ms=fence_ms, renew_ms=20)
    controller.kill_guard()
    assert controller.is_guard_gone()
    assert stage.client.is_answered(VIP.address)
    controller.process.kill()
    killed = time.monotonic()
    while stage.client.holders(VIP.address, 5):
        assert time.monotonic() < killed + 2, "it is still answered"
    assert time.monotonic() - killed < (fence_ms + 200) / 1000
    assert VIP.address in vips_present()


def test_stopped_controller_is_silenced_by_the_fence(start: Start, stage: Stage) -> None:
    controller = start(fence_ms=400, renew_ms=20)
    controller.process.send_signal(signal.SIGSTOP)
    wait_until(time.monotonic() + 0.5)
    assert not stage.client.has_holder(VIP.address)
    controller.process.send_signal(signal.SIGCONT)
    assert controller.line() == "lapsed"
    assert controller.is_guard_gone()
    assert vips_present() == set()


def test_guard_that_was_told_of_nothing_deletes_nothing(start: Start) -> None:
    controller = start()
    controller.say("other")
    assert controller.line() == "done"
    controller.process.kill()
    assert controller.is_guard_gone()
    assert vips_present() == {VIP.address, VIP6.address}


def test_orderly_end_leaves_everything_and_frees_the_lock(start: Start, stage: Stage) -> None:
    controller = start()
    controller.say("end")
    assert controller.process.wait(30) == 0
    assert controller.is_guard_gone()
    assert vips_present() == {VIP.address, VIP6.address}
    assert stage.client.is_answered(VIP.address)
    Lock.acquire(controller.lock, 100).release()


def test_release_on_request_gives_the_vips_up(start: Start, stage: Stage) -> None:
    controller = start()
    controller.say("release")
    assert controller.process.wait(30) == 0
    assert vips_present() == set()
    assert not stage.client.has_holder(VIP.address)


def test_lock_is_free_only_when_the_vips_are_gone(start: Start) -> None:
    controller = start(1000)
    with pytest.raises(LockTaken):
        Lock.acquire(controller.lock, 50)
    controller.process.kill()
    Lock.acquire(controller.lock).release()
    assert vips_present() == set()


def test_lock_is_held_by_the_guard_of_a_dead_controller(start: Start) -> None:
    controller = start()
    signal.pidfd_send_signal(controller.pidfd, signal.SIGSTOP)
    controller.process.kill()
    controller.process.wait()
    with pytest.raises(LockTaken):
        Lock.acquire(controller.lock, 50)
    signal.pidfd_send_signal(controller.pidfd, signal.SIGCONT)
    Lock.acquire(controller.lock).release()
    assert vips_present() == set()


def test_lock_that_is_awaited_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lock = Lock.acquire(tmp_path / "lock")
    with caplog.at_level("INFO", "drctl"):
        with pytest.raises(LockTaken):
            Lock.acquire(tmp_path / "lock", 50)
        lock.release()
        Lock.acquire(tmp_path / "lock", 50).release()
    assert [record.getMessage() for record in caplog.records] == [
        f"lock_awaited path={tmp_path / 'lock'} timeout_ms=50"
    ]


def test_lock_is_held_by_a_controller_whose_guard_died(tmp_path: Path) -> None:
    lock = Lock.acquire(tmp_path / "lock")
    guard = GuardClient.spawn(lock)
    os.kill(guard.pid, signal.SIGKILL)
    poll = select.poll()
    poll.register(guard, select.POLLIN)
    assert poll.poll(1000), "its death is not noticed"
    assert not guard.is_alive()
    with pytest.raises(GuardLost):
        guard.hold({b"\xc0\0\2\x50"}, "drctl")
    guard.forget()
    with pytest.raises(LockTaken):
        Lock.acquire(tmp_path / "lock", 20)
    second = GuardClient.spawn(lock)
    second.hold({b"\xc0\0\2\x50"}, "drctl")
    second.end()
    lock.release()


def test_guard_that_does_not_answer_is_lost(tmp_path: Path) -> None:
    lock = Lock.acquire(tmp_path / "lock")
    guard = GuardClient.spawn(lock)
    os.kill(guard.pid, signal.SIGSTOP)
    with pytest.raises(GuardLost):
        guard.hold(set(), "drctl", timeout_ms=50)
    guard.kill()
    lock.release()


def guard_told(words: bytes) -> tuple[int, bytes]:
    """Exit code of a guard to which this was said, and all that it answered."""
    ours, theirs = socket.socketpair()
    myself = os.pidfd_open(os.getpid())
    spare = os.open(os.devnull, os.O_RDWR)
    numbers = (theirs.fileno(), myself, spare)
    command = [sys.executable, "-m", "drctl.daemon.guard", *map(str, numbers)]
    process = subprocess.Popen(command, pass_fds=numbers, stderr=subprocess.DEVNULL)
    theirs.close()
    ours.settimeout(30)
    said = ours.recv(4096)
    ours.sendall(words)
    while received := ours.recv(4096):
        said += received
    for descriptor in (myself, spare):
        os.close(descriptor)
    ours.close()
    return process.wait(30), said


@pytest.mark.parametrize(
    "words",
    [
        b"GET / HTTP/1.0\r\n\r\n",
        b"dG\x02\x01\0\0\0\0",
        b"dG\x01\x63\0\0\0\0",
        b"dG\x01\x01\xff\xff\xff\xff",
        frame(HELD),
        frame(HOLD, b""),
        frame(HOLD, b"\x05\0\0\0\x01drctl\x01"),
        frame(HOLD, b"\x02\0\0\0\0\xff\xfe"),
        frame(HOLD, b"\x00\0\0\0\x00" + bytes(15)),
    ],
)
def test_wrong_words_end_the_guard_and_change_nothing(words: bytes) -> None:
    code, _ = guard_told(words)
    assert code == 2


def test_words_that_come_in_pieces_are_understood() -> None:
    code, said = guard_told(frame(HOLD, b"\x05\0\0\0\x01drctl\xc0\0\x02\x50") + frame(END))
    assert code == 0
    assert said.count(b"dG\x01") == 3


def test_oversized_frame_is_refused_before_it_is_sent() -> None:
    with pytest.raises(GuardSpokeWrongly):
        frame(HOLD, bytes((1 << 20) + 1))


def test_lock_in_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DrctlError, match="cannot open the lock"):
        Lock.acquire(tmp_path / "none" / "lock")
