"""Containers are stopped, killed, paused and disconnected; a client asks by ARP all the time."""

from __future__ import annotations

import pytest
from docker_case import Project, now_ms, pass_time

FENCE_MS = 500
DETECTED_MS = 150 + 30
"""Silence of one and a half heartbeats of 100 ms, and the burst: nothing is taken sooner."""
SLACK_MS = 600
"""What a busy machine may add."""
ADDRESSES = {
    "lb1": {"service": "192.0.2.2", "heartbeat": "198.51.100.2"},
    "lb2": {"service": "192.0.2.3", "heartbeat": "198.51.100.3"},
}
Roles = tuple[str, str]


def _page(pair: Project) -> str:
    program = (
        "import urllib.request as u; print(u.urlopen('http://192.0.2.100/', timeout=5).read())"
    )
    return pair.inside("client", "python3", "-c", program)


def _moved(pair: Project, at_ms: float, roles: Roles, limit_ms: float) -> None:
    """The VIP went over once, in time, and nothing was answered twice."""
    seen = pair.seen(at_ms, 2)
    print(seen)
    assert seen.twice == 0, pair.logs()
    assert seen.holders == roles, pair.logs()
    assert seen.outage_ms < limit_ms, pair.logs()
    assert pair.role(roles[1]) == "active"


def _stayed(pair: Project, at_ms: float, holder: str, for_s: float) -> None:
    seen = pair.seen(at_ms, for_s)
    print(seen)
    assert (seen.twice, seen.holders) == (0, (holder,)), pair.logs()


def test_pair_that_is_up_has_one_holder_and_serves_the_page(pair: Project, roles: Roles) -> None:
    at_ms = now_ms()
    assert "hello from web" in _page(pair)
    _stayed(pair, at_ms, roles[0], 1)
    addresses = {name: pair.inside(name, "ip", "-4", "address") for name in roles}
    assert "192.0.2.100/" in addresses[roles[0]]
    assert "192.0.2.100/" not in addresses[roles[1]]


def test_active_stopped_hands_over_and_comes_back_as_standby(pair: Project, roles: Roles) -> None:
    at_ms = now_ms()
    pair.docker("stop", pair.container(roles[0]))
    _moved(pair, at_ms, roles, DETECTED_MS)
    back_ms = now_ms()
    pair.docker("start", pair.container(roles[0]))
    assert pair.settle() == roles[::-1]
    _stayed(pair, back_ms, roles[1], 0.5)
    # a killed one is found out as fast, but has not done this
    assert f"handed over to {roles[1]}" in pair.inside(roles[0], "drctl", "history")
    assert f"{roles[0]} hands over" in pair.inside(roles[1], "drctl", "history")


def test_switch_asked_for_no_request_answered_twice(pair: Project, roles: Roles) -> None:
    at_ms = now_ms()
    pair.inside(roles[1], "drctl", "switch")
    _moved(pair, at_ms, roles, DETECTED_MS)
    assert pair.settle() == roles[::-1]


def test_active_killed_other_takes_over(pair: Project, roles: Roles) -> None:
    at_ms = now_ms()
    pair.docker("kill", pair.container(roles[0]))
    _moved(pair, at_ms, roles, DETECTED_MS + SLACK_MS)
    assert "hello from web" in _page(pair)
    back_ms = now_ms()
    pair.docker("start", pair.container(roles[0]))
    assert pair.settle() == roles[::-1]
    _stayed(pair, back_ms, roles[1], 0.5)


def test_active_paused_falls_silent_and_does_not_answer_when_it_wakes(
    pair: Project, roles: Roles
) -> None:
    at_ms = now_ms()
    pair.docker("pause", pair.container(roles[0]))
    try:
        _moved(pair, at_ms, roles, FENCE_MS + DETECTED_MS + SLACK_MS)
    finally:
        woken_ms = now_ms()
        pair.docker("unpause", pair.container(roles[0]))
    assert pair.settle() == roles[::-1]
    _stayed(pair, woken_ms, roles[1], 1)


def test_active_off_the_service_network_vip_moves(pair: Project, roles: Roles) -> None:
    at_ms, container = now_ms(), pair.container(roles[0])
    network = pair.network("service")
    pair.docker("network", "disconnect", network, container)
    try:
        _moved(pair, at_ms, roles, DETECTED_MS + SLACK_MS)
        assert pair.role(roles[0]) == "fault"
    finally:
        back_ms = now_ms()
        address = ADDRESSES[roles[0]]["service"]
        pair.docker("network", "connect", "--ip", address, network, container)
    assert pair.settle() == roles[::-1]
    _stayed(pair, back_ms, roles[1], 0.5)
    # the card has another name now
    alarms = pair.status(roles[0])["alarms"]
    assert any("has its address, and stands in for it" in text for text in alarms), alarms
    at_ms = now_ms()
    pair.inside(roles[0], "drctl", "switch")
    _moved(pair, at_ms, roles[::-1], DETECTED_MS)
    pair.docker("restart", container)
    assert "stands in" not in str(pair.status(pair.settle()[1])["alarms"])


@pytest.mark.parametrize("which", [0, 1], ids=["active", "standby"])
def test_director_off_the_heartbeat_network_nothing_moves(
    pair: Project, roles: Roles, which: int
) -> None:
    at_ms, director = now_ms(), roles[which]
    network, container = pair.network("heartbeat"), pair.container(director)
    address = ADDRESSES[director]["heartbeat"]
    pair.docker("network", "disconnect", network, container)
    try:
        _stayed(pair, at_ms, roles[0], 2)
        other = roles[1 - which]
        for name in roles:
            up = pair.links(name)
            assert not up[ADDRESSES[name]["heartbeat"]], pair.logs()
            assert up[ADDRESSES[name]["service"]], pair.logs()
        assert pair.status(other)["peers"][0]["alive"]
    finally:
        back_ms = now_ms()
        pair.docker("network", "connect", "--ip", address, network, container)
    assert pair.settle() == roles
    _stayed(pair, back_ms, roles[0], 0.5)


def test_both_restarted_one_holder(pair: Project, roles: Roles) -> None:
    at_ms = now_ms()
    pair.docker("restart", *(pair.container(name) for name in roles))
    holder, _ = pair.settle()
    pass_time(0.5)
    seen = pair.seen(at_ms, 0.5)
    print(seen)
    assert seen.twice == 0, pair.logs()
    assert seen.holders[-1] == holder
    assert "hello from web" in _page(pair)
