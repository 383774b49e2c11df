"""VIPs are lent by a real etcd to one director at a time."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from netns_case import wait_until

from drctl.adapters.arbiter_etcd import Etcd, EtcdRefused, Tls
from drctl.core.action import AskArbiter
from drctl.core.event import ArbiterReported
from drctl.daemon.arbiter_lease import Lease
from drctl.daemon.arbiter_lending import Lending
from drctl.daemon.config import ArbiterConfig
from tools import need

TTL_MS, LAG_MS = 3000, 500
GOOD_MS = 2970 - LAG_MS

V1, V2, V3 = "192.0.2.1", "192.0.2.2", "192.0.2.3"
WEB, MAIL = frozenset({V1, V2}), frozenset({V3})


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A cluster of one member."""
    client = f"http://127.0.0.1:{free_port()}"
    with etcd(tmp_path_factory.mktemp("etcd"), client, Tls()):
        yield client


@contextmanager
def etcd(folder: Path, client: str, tls: Tls, *more: str) -> Iterator[None]:
    """One that answers under this URL; `tls` is for looking whether it does."""
    peer = f"http://127.0.0.1:{free_port()}"
    command = [
        need("etcd", "etcd-server"),
        *("--name", "one", "--data-dir", str(folder / "data"), "--log-level", "error"),
        *("--listen-client-urls", client, "--advertise-client-urls", client),
        *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
        *("--initial-cluster", f"one={peer}", "--unsafe-no-fsync", *more),
    ]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stderr=log) as process:
        limit_s = time.monotonic() + 30
        try:
            while not is_there(client, tls):
                assert time.monotonic() < limit_s, (folder / "log").read_text()
            yield
        finally:
            process.kill()


def is_there(client: str, tls: Tls) -> bool:
    asked = Etcd((client,), tls, 1)
    try:
        asked.entries("nothing")
    except EtcdRefused:
        wait_until(time.monotonic() + 0.05)
        return False
    finally:
        asked.close()
    return True


class Node:
    """One director's part, whose clock is set by hand; `until` is what it was told last."""

    def __init__(self, endpoint: str, name: str, prefix: str) -> None:
        self.etcd = Etcd((endpoint,), Tls(), 5)
        self.lending = Lending(self.etcd, name, prefix, TTL_MS, LAG_MS)
        self.lending.tell = self.told
        self.now_ms = 1000
        self.until: dict[str, int] = {}

    def told(self, vips: Sequence[str], until_ms: int) -> None:
        self.until.update(dict.fromkeys(vips, until_ms))

    def now(self) -> int:
        return self.now_ms

    def wants(self, *wanted: tuple[frozenset[str], str]) -> None:
        self.lending.wants(wanted, self.now)

    def work(self, at_ms: int) -> None:
        self.now_ms = at_ms
        self.lending.work(self.now)


@pytest.fixture
def pair(endpoint: str, tmp_path: Path) -> Iterator[tuple[Node, Node]]:
    made = [Node(endpoint, name, f"{tmp_path}/") for name in ("lb1", "lb2")]
    yield made[0], made[1]
    for node in made:
        node.lending.rest()
        node.etcd.close()


def test_group_is_lent_to_one_director_until_its_lease_is_nearly_over(
    pair: tuple[Node, Node],
) -> None:
    first, second = pair
    first.wants((WEB, "lb1"))
    second.wants((WEB, "lb2"), (MAIL, "lb2"))
    assert first.until == {V1: 1000 + GOOD_MS, V2: 1000 + GOOD_MS}
    assert second.until == {V3: 1000 + GOOD_MS}
    first.work(1000 + GOOD_MS // 3)
    assert first.until == dict.fromkeys(WEB, 1000 + GOOD_MS // 3 + GOOD_MS)


def test_group_that_is_given_back_is_another_s_at_once(pair: tuple[Node, Node]) -> None:
    first, second = pair
    first.wants((WEB, "lb1"))
    second.wants((WEB, "lb2"))
    first.wants()
    assert first.until == {V1: 0, V2: 0}
    assert first.lending.is_idle
    second.work(1050)
    assert second.until == {V1: 1000 + GOOD_MS, V2: 1000 + GOOD_MS}


def test_group_that_is_handed_over_is_for_that_director_alone(
    pair: tuple[Node, Node], endpoint: str, tmp_path: Path
) -> None:
    first, second = pair
    third = Node(endpoint, "lb3", f"{tmp_path}/")
    first.wants((WEB, "lb1"))
    first.wants((WEB, "lb2"))
    assert first.until == {V1: 0, V2: 0}
    third.wants((WEB, "lb3"))
    assert third.until == {}
    second.wants((WEB, "lb2"))
    assert second.until == {V1: 1000 + GOOD_MS, V2: 1000 + GOOD_MS}
    first.wants()
    first.wants((WEB, "lb1"))
    assert first.until == {V1: 0, V2: 0}
    third.lending.rest()


def test_group_that_was_not_taken_comes_back(pair: tuple[Node, Node]) -> None:
    first, second = pair
    first.wants((WEB, "lb1"))
    first.wants((WEB, "lb2"))
    first.wants((WEB, "lb1"))
    assert first.until[V1] > 0
    second.wants((WEB, "lb2"))
    assert second.until == {}


def test_vip_is_lent_once_whatever_it_goes_with(pair: tuple[Node, Node]) -> None:
    """The configurations differ: other groups have it there."""
    first, second = pair
    first.wants((frozenset({V1, V2}), "lb1"))
    second.wants((frozenset({V2, V3}), "lb2"))
    assert second.until == {}
    assert second.lending.is_idle
    first.wants((frozenset({V1}), "lb1"))
    assert first.until == {V1: 1000 + GOOD_MS, V2: 0}
    second.work(1050)
    assert second.until == {V2: 1000 + GOOD_MS, V3: 1000 + GOOD_MS}


def test_group_that_gets_a_vip_or_another_name_keeps_what_it_has(pair: tuple[Node, Node]) -> None:
    first, _ = pair
    told: list[tuple[tuple[str, ...], int]] = []
    first.wants((WEB, "lb1"))
    first.lending.tell = lambda vips, until_ms: told.append((tuple(vips), until_ms))
    first.wants((WEB, "lb1"), (MAIL, "lb1"))
    first.wants((WEB | MAIL, "lb1"), (MAIL, "lb1"))
    first.wants((WEB | MAIL, "lb1"))
    assert all(until_ms > 0 for _, until_ms in told)
    assert told[-1] == ((V1, V2, V3), 1000 + GOOD_MS)


def test_more_vips_than_a_transaction_takes_are_one_director_s(pair: tuple[Node, Node]) -> None:
    many = frozenset(f"198.51.100.{last}" for last in range(1, 251))
    first, second = pair
    first.wants((many, "lb1"))
    second.wants((many | {V1}, "lb2"))
    assert first.until == dict.fromkeys(many, 1000 + GOOD_MS)
    assert second.lending.wake_ms() == 1050
    first.wants((many, "lb2"))
    assert first.until == dict.fromkeys(many, 0)
    second.work(1050)
    assert second.until == dict.fromkeys(many | {V1}, 1000 + GOOD_MS)
    first.wants()
    assert first.lending.is_idle
    second.wants()
    assert second.lending.is_idle
    assert not second.etcd.entries(second.lending._prefix)  # noqa: SLF001


def test_lease_that_the_cluster_ended_is_noticed(pair: tuple[Node, Node]) -> None:
    first, second = pair
    first.wants((WEB, "lb1"))
    entry = first.etcd.entries(first.lending._prefix)[V1]  # noqa: SLF001
    second.etcd.revoke(entry.lease)
    second.wants((WEB, "lb2"))
    assert second.until[V1] > 0
    first.work(1000 + GOOD_MS // 3)
    assert first.until == {V1: 0, V2: 0}


def test_director_that_starts_again_takes_what_is_its_own(
    pair: tuple[Node, Node], endpoint: str, tmp_path: Path
) -> None:
    before, _ = pair
    before.wants((WEB, "lb1"))
    again = Node(endpoint, "lb1", f"{tmp_path}/")
    again.wants((WEB, "lb1"))
    assert again.until[V1] > 0
    before.lending.rest()
    again.work(1000 + GOOD_MS // 3)
    assert again.until[V1] > 0
    again.lending.rest()


def test_cluster_that_does_not_answer_is_told_and_nothing_is_lent() -> None:
    node = Node(f"http://127.0.0.1:{free_port()}", "lb1", "/")
    node.wants((WEB, "lb1"))
    assert node.until == {}
    assert "Connection refused" in node.lending.trouble
    assert node.lending.wake_ms() == 1500


def test_member_that_does_not_answer_is_passed_over(endpoint: str, tmp_path: Path) -> None:
    etcd = Etcd((f"http://127.0.0.1:{free_port()}", endpoint), Tls(), 5)
    assert etcd.entries(f"{tmp_path}") == {}
    etcd.close()


def test_members_and_directors_show_each_other_certificates(tmp_path: Path) -> None:
    openssl = need("openssl", "openssl")

    def make(name: str, *signed: str) -> str:
        key, certificate = tmp_path / f"{name}.key", tmp_path / f"{name}.pem"
        request = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        request += ["-subj", f"/CN={name}", "-keyout", str(key), "-out", str(certificate)]
        subprocess.run([*request, *signed], check=True, capture_output=True)
        return str(tmp_path / name)

    ca = make("ca")
    signed = ("-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-addext", "basicConstraints=CA:FALSE")
    member = make("member", *signed, "-addext", "subjectAltName=IP:127.0.0.1")
    director = make("lb1", *signed)
    client = f"https://127.0.0.1:{free_port()}"
    tls = Tls(f"{ca}.pem", f"{director}.pem", f"{director}.key")
    options = ("--cert-file", f"{member}.pem", "--key-file", f"{member}.key", "--client-cert-auth")
    with etcd(tmp_path, client, tls, *options, "--trusted-ca-file", f"{ca}.pem"):
        asked = Etcd((client,), tls, 5)
        assert asked.keep_alive(asked.grant(5))
        asked.close()
        for wrong in (Tls(f"{ca}.pem"), Tls()):
            stranger = Etcd((client,), wrong, 5)
            with pytest.raises(EtcdRefused, match=r"(?i)certificate|EOF occurred|reset by peer"):
                stranger.grant(5)
            stranger.close()


def test_certificates_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EtcdRefused, match=r"no\.pem: .*No such file"):
        Etcd(("https://127.0.0.1:2379",), Tls(str(tmp_path / "no.pem")), 1)


def test_process_borrows_and_gives_back_with_the_controller(endpoint: str, tmp_path: Path) -> None:
    config = ArbiterConfig(
        "etcd", endpoints=(endpoint,), prefix=f"{tmp_path}/", ttl_ms=TTL_MS, timeout_ms=5000
    )
    lease = Lease.spawn(config, "lb1", LAG_MS, now_ms())
    look = Etcd((endpoint,), Tls(), 5)
    try:
        lease.ask(AskArbiter((V1, V2), "lb1"))
        (told,) = events(lease)
        assert told.addresses == (V1, V2)
        assert 0 < told.until_ms - now_ms() <= GOOD_MS
        # a controller that says nothing has no VIPs any more
        limit_s = time.monotonic() + 10
        while look.entries(f"{tmp_path}/"):
            assert time.monotonic() < limit_s
        (told,) = events(lease)
        assert told.until_ms == 0
        lease.tick(now_ms())
        (told,) = events(lease)
        assert told.until_ms > now_ms()
        lease.ask(AskArbiter((V1, V2), ""))
        (told,) = events(lease)
        assert told.until_ms == 0
    finally:
        lease.end()
        look.close()


def events(lease: Lease) -> list[ArbiterReported]:
    limit_s = time.monotonic() + 20
    while not (found := lease.events(now_ms())):
        assert time.monotonic() < limit_s, lease.trouble(0)
        wait_until(time.monotonic() + 0.005)
    return found


def now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
