"""A card is removed and made again, as by hotplug, for a bond, or by docker: the director finds it
by its name, or by its address under another one, and needs no restart."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from drctl.lab.pair.director import DRCTL, Director
from drctl.lab.pair.host import run
from drctl.lab.pair.stage import VIP, Plan, Stage, now_ms, stage

PATIENCE_S = 20.0
DETECTED_MS = 150 + 30
SLACK_MS = 400
"""What a busy machine may add."""


def _wait(live: Stage, is_so: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < end_s, live.logs()
        time.sleep(0.05)


def _make_again(live: Stage, director: Director, name: str, mac: str) -> None:
    """Another card at the same port of the switch, with the director's address."""
    number = list(live.directors).index(director.name) + 1
    namespace = director.host.namespace
    live.segment.switch.ip_batch(
        f"link add {director.name} type veth peer name {name} address {mac} netns {namespace}",
        f"link set {director.name} master br0 up",
    )
    director.host.ip_batch(f"link set {name} up", f"address add 192.0.2.{number}/24 dev {name}")


def _role(director: Director) -> str:
    return "".join(group["role"] for group in director.status().get("groups", []))


def _alarms(director: Director) -> list[str]:
    return [str(text) for text in director.status().get("alarms", [])]


def _all_links_up(director: Director) -> bool:
    peers = director.status().get("peers", [])
    return all(link["up"] for peer in peers for link in peer["links"])


def _takes_over(live: Stage, director: Director) -> None:
    """By a switchover: its new card is asked by ARP, and answers, alone."""
    other = live.other(director)
    at_ms = now_ms()
    run(*DRCTL, "switch", "-c", other.settings)
    live.holder(lambda name: name == director.name)
    seen = live.client.seen(at_ms)
    print("switch:", seen)
    assert seen.twice == 0, live.logs()
    assert seen.outage_ms < SLACK_MS, live.logs()


@pytest.mark.parametrize(("who", "links"), [("active", "ab"), ("standby", "a")])
def test_card_made_again_with_its_name_is_used_again(who: str, links: str) -> None:
    with stage(Plan(links=links)) as live:
        active = live.holder()
        director = active if who == "active" else live.other(active)
        other, mac, at_ms = live.other(director), director.host.mac(), now_ms()
        live.segment.switch.ip("link", "delete", director.name)
        _wait(live, lambda: _role(director) == "fault" and _role(other) == "active")
        seen = live.client.seen(at_ms)
        print("gone:", seen)
        assert seen.twice == 0, live.logs()
        assert seen.outage_ms < DETECTED_MS + SLACK_MS, live.logs()
        assert any("eth0 is gone" in text for text in _alarms(director)), live.logs()
        at_ms = now_ms()
        _make_again(live, director, "eth0", mac)
        _wait(live, lambda: _role(director) == "standby" and _all_links_up(director))
        _wait(live, lambda: not _alarms(director))
        # a new card has new settings, which would take its own address along with a VIP
        setting = "net.ipv4.conf.eth0.promote_secondaries"
        assert director.host.run("sysctl", "-n", setting).strip() == "1"
        seen = live.client.seen(at_ms)
        assert (seen.unanswered, seen.holders) == (0, (other.name,)), live.logs()
        _takes_over(live, director)
        assert f"{VIP}/" in director.host.ip("address", "show", "eth0")


def test_card_that_comes_back_under_another_name_stands_in_for_it() -> None:
    with stage(Plan(links="ab")) as live:
        active = live.holder()
        mac = active.host.mac()
        live.segment.switch.ip("link", "delete", active.name)
        _wait(live, lambda: _role(active) == "fault")
        _make_again(live, active, "eth5", mac)
        _wait(live, lambda: _role(active) == "standby")
        assert any("eth5 has its address" in text for text in _alarms(active)), live.logs()
        _takes_over(live, active)
        assert f"{VIP}/" in active.host.ip("address", "show", "eth5")
        # an operator who writes the new name down has nothing to restart
        file = active.folder / "keepalived.conf"
        text = file.read_text(encoding="utf-8").replace("interface eth0", "interface eth5")
        file.write_text(text, encoding="utf-8")
        at_ms = now_ms()
        run(*DRCTL, "reload", "-c", active.settings)
        _wait(live, lambda: not any("eth5" in text for text in _alarms(active)))
        seen = live.client.seen(at_ms)
        print("reload:", seen)
        assert (seen.twice, seen.holders) == (0, (active.name,)), live.logs()
        assert seen.outage_ms < SLACK_MS, live.logs()


def test_lone_director_has_the_vips_again_when_its_card_is_back() -> None:
    with stage(Plan(links="ab")) as live:
        active = live.holder()
        live.other(active).end()
        live.holder(lambda name: name == active.name)
        mac = active.host.mac()
        live.segment.switch.ip("link", "delete", active.name)
        _wait(live, lambda: _role(active) == "fault")
        at_ms = now_ms()
        _make_again(live, active, "eth0", mac)
        _wait(live, lambda: live.client.seen(at_ms).holders == (active.name,))
        assert _role(active) == "active"
