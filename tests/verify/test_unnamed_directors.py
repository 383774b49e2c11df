"""Directors whose own addresses the configuration does not have, as those of a pair that speaks
multicast: a pair that is well is not blamed, and who is named is told from a stranger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from verify_case import CONFIGURATION, VIP, VIP6, Setup, setup

UNICAST = "    unicast_src_ip 192.0.2.1\n    unicast_peer {\n        192.0.2.2\n    }\n"
NAMED = ("--director", "192.0.2.1", "--director", "192.0.2.2")
NOTE = "the directors' own addresses on eth0 are not all known"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Setup]:
    """The pair speaks multicast."""
    with setup(tmp_path) as made:
        give(made, "")
        yield made


def give(place: Setup, unicast: str) -> None:
    text = CONFIGURATION.replace(UNICAST, unicast)
    assert text != CONFIGURATION
    (place.folder / "keepalived.conf").write_text(text, encoding="utf-8")


@pytest.mark.parametrize("at", ["lb1", "lb2", "mon", "web1"])
def test_healthy_pair_that_is_not_named_is_good_and_noted(place: Setup, at: str) -> None:
    done = place.command(at=at)
    assert done.returncode == 0, done.stdout
    assert f"note: {NOTE}" in done.stdout
    assert "--director ADDRESS" in done.stdout


@pytest.mark.parametrize("at", ["lb1", "lb2", "mon"])
def test_directors_that_are_named_are_known(place: Setup, at: str) -> None:
    found = place.verify(*NAMED, at=at)
    assert found["code"] == 0
    [answer] = found[VIP]["answers"]
    assert (answer["host"], answer["role"]) == ("192.0.2.1", "active")
    assert NOTE not in place.command(*NAMED, at=at).stdout


def test_two_that_are_not_named_are_two_directors(place: Setup) -> None:
    place.hosts["lb2"].ip("address", "add", f"{VIP}/32", "dev", "eth0")
    found = place.verify()
    assert (found["code"], found[VIP]["verdict"]) == (1, "two-directors")
    assert found[VIP]["cause"].endswith("or one of them is no director")
    assert found[VIP6]["verdict"] == "ok"


def test_stranger_beside_directors_that_are_named_is_unknown(place: Setup) -> None:
    stranger = place.segment.host("stranger", "192.0.2.77/24")
    place.hosts["lb1"].ip("address", "del", f"{VIP}/32", "dev", "eth0")
    stranger.ip("address", "add", f"{VIP}/32", "dev", "eth0")
    assert place.verify(*NAMED)[VIP]["verdict"] == "unknown-host"
    assert place.verify()[VIP]["verdict"] == "ok", "it may be a director"


def test_strangers_more_than_there_are_directors_are_unknown(place: Setup) -> None:
    give(place, "    unicast_peer {\n        192.0.2.2\n    }\n")
    assert place.verify()[VIP]["verdict"] == "ok", "the other one has no address"
    stranger = place.segment.host("stranger", "192.0.2.77/24")
    stranger.ip("address", "add", f"{VIP}/32", "dev", "eth0")
    assert place.verify()[VIP]["verdict"] == "unknown-host"


def test_third_peer_is_a_director(place: Setup) -> None:
    peers = "192.0.2.2\n        192.0.2.3"
    give(place, UNICAST.replace("192.0.2.2", peers))
    third = place.segment.host("lb3", "192.0.2.3/24")
    place.hosts["lb1"].ip("address", "del", f"{VIP}/32", "dev", "eth0")
    third.ip("address", "add", f"{VIP}/32", "dev", "eth0")
    found = place.verify()
    [answer] = found[VIP]["answers"]
    assert (found[VIP]["verdict"], answer["host"]) == ("ok", "192.0.2.3")


def test_address_alone_is_good_with_one_answer_and_named_directors_tell_strangers(
    place: Setup,
) -> None:
    words = ("--vip", VIP, "-i", "eth0")
    assert place.alone(*words) == (0, "ok")
    assert place.alone(*words, *NAMED) == (0, "ok")
    assert place.alone(*words, "--director", "192.0.2.2") == (1, "unknown-host")


def test_director_that_is_no_address_is_refused(place: Setup) -> None:
    done = place.command("--director", "lb1")
    assert done.returncode == 2
    assert "--director lb1 is no IPv4 or IPv6 address" in done.stderr
