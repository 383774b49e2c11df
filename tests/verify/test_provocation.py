"""A real server that is made to ask for an address: what it does is not judged by one try alone."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from netns_case import Host
from verify_case import OTHER_VIP, SERVERS, VIP, Setup, keep_silent, setup

from drctl.adapters.survey import Card, Provocation, Surveyor
from drctl.adapters.survey_record import Question, Record
from drctl.verify.judge import judge
from drctl.verify.look import sightings
from drctl.verify.value import Role, Station, Survey, Target

WEB1 = SERVERS["web1"]
BAITS = [f"192.0.2.{number}" for number in range(230, 242)]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Setup]:
    with setup(tmp_path) as made:
        yield made


def waits_for(web: Host, *addresses: str) -> None:
    """It has asked for them a moment ago, and does not ask again whoever it is for."""
    with web.inside(), closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as one:
        for address in addresses:
            one.sendto(b"", (address, 9))


def provoke(place: Setup) -> Record:
    questions = [Question(one, "eth0", is_as_client=True) for one in (VIP, OTHER_VIP)]
    questions.append(Question(WEB1, "eth0"))
    provocations = [Provocation(WEB1, vip, "eth0") for vip in (VIP, OTHER_VIP)]
    with place.hosts["mon"].inside():
        made = Surveyor([Card("eth0", (("192.0.2.9", 24),))], lambda _: BAITS)
        with closing(made):
            return made.survey(questions, provocations, rounds=1)


def test_station_that_waits_for_its_bait_is_tried_with_another(place: Setup) -> None:
    keep_silent(place.hosts["web1"], 0, 0)
    waits_for(place.hosts["web1"], *BAITS[:2])
    record = provoke(place)
    assert record.provoked == {(WEB1, VIP), (WEB1, OTHER_VIP)}
    assert record.used[WEB1] == 4
    asked = {(one.sender_address, one.target_address) for one in record.heard}
    assert {(VIP, BAITS[2]), (OTHER_VIP, BAITS[3])} <= asked


def test_station_that_asks_at_once_is_tried_once(place: Setup) -> None:
    record = provoke(place)
    assert record.provoked == {(WEB1, VIP), (WEB1, OTHER_VIP)}
    assert record.used[WEB1] == 2


def test_station_that_never_asks_is_not_said_to_be_right(place: Setup) -> None:
    keep_silent(place.hosts["web1"], 0, 0)
    waits_for(place.hosts["web1"], *BAITS)
    record = provoke(place)
    assert (record.provoked, len(record.tried)) == (set(), 2)
    [finding] = findings(record)
    assert "the rule against incoming requests is missing" in finding
    assert "so that what goes out is right" not in finding


def findings(record: Record) -> list[str]:
    """The cause that is named for VIP."""
    target = Target(VIP, "eth0")
    station = Station(WEB1, "eth0", WEB1, Role.REAL_SERVER, (VIP, OTHER_VIP))
    made = Survey(
        (target,),
        (station,),
        tuple(sightings(record)),
        tried=frozenset(record.tried),
        provoked=frozenset(record.provoked),
    )
    return [one.cause for one in judge(made)]


def test_router_that_is_known_by_one_bait_is_asked_for_the_others_itself(place: Setup) -> None:
    router = place.segment.host("router", "192.0.2.254/24", f"{BAITS[0]}/32")
    router.ip_batch(
        "link add beyond type veth peer name there",
        "link set beyond up",
        "link set there up",
        "route add 192.0.2.224/27 dev beyond",
    )
    # what is sent to all it would answer after the survey's end
    late = "net.ipv4.neigh.eth0.proxy_delay=10000"
    router.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.eth0.proxy_arp=1", late)
    assert provoke(place).proxies == {router.mac()}
