"""How often a group's VIPs are announced, in which group."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_case import Host, settings

from drctl.core.action import Announce
from drctl.core.event import Reconfigured, Started, TimeCame
from drctl.core.node import Node
from drctl.core.role import Role
from drctl.core.value import Announcing, Group, Settings, Vip


def _announcing(**rules: Announcing) -> Settings:
    base = settings()
    groups = tuple(
        Group(name, (Vip(f"192.0.2.{at}", 24, "eth0"),), ("eth0",), announcing=rule)
        for at, (name, rule) in enumerate(rules.items(), 100)
    )
    return replace(base, groups=groups)


def _told(configured: Settings, until_ms: int) -> dict[str, list[tuple[int, int]]]:
    """By group, since it was taken: when, and how often."""
    host = Host(Node(configured))
    host.feed(Started(0, 7, 0))
    found: dict[str, list[tuple[int, int]]] = {group.name: [] for group in configured.groups}
    while (now_ms := host.node.deadline_ms) < until_ms:
        for action in host.feed(TimeCame(now_ms)):
            if isinstance(action, Announce):
                found[action.group].append((now_ms, action.count))
    assert all(group.role is Role.ACTIVE for group in host.node.groups.values())
    return {
        name: [(at_ms - some[0][0], count) for at_ms, count in some] for name, some in found.items()
    }


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Announcing(), [(0, 5), (5000, 5)]),
        (Announcing(count=2, again_ms=1000), [(0, 2), (1000, 2)]),
        (Announcing(again_ms=0), [(0, 5)]),
        (
            Announcing(again_ms=0, refresh_ms=3000, refresh_count=2),
            [(0, 5), (3000, 2), (6000, 2), (9000, 2)],
        ),
        (
            Announcing(again_ms=5000, refresh_ms=4000),
            [(0, 5), (4000, 1), (5000, 5), (8000, 1)],
        ),
    ],
)
def test_announcing_follows_the_rule_of_the_group(
    rule: Announcing, expected: list[tuple[int, int]]
) -> None:
    assert _told(_announcing(web=rule), 11_000)["web"] == expected


def test_announcing_of_two_groups_is_that_of_each() -> None:
    found = _told(
        _announcing(web=Announcing(1, 0, 2000), mail=Announcing(3, 7000)), until_ms=10_000
    )
    assert found == {
        "web": [(0, 1), (2000, 1), (4000, 1), (6000, 1), (8000, 1)],
        "mail": [(0, 3), (7000, 3)],
    }


def test_announcing_changes_with_a_reload_without_anything_else() -> None:
    before = _announcing(web=Announcing(again_ms=0))
    host = Host(Node(before))
    host.feed(Started(0, 7, 0))
    host.run(4000)
    assert host.node.groups["web"].role is Role.ACTIVE
    host.actions.clear()
    after = _announcing(web=Announcing(again_ms=0, refresh_ms=1000))
    host.feed(Reconfigured(4001, after, frozenset({"192.0.2.100"})))
    host.run(7500)
    counts = [each.count for each in host.actions if isinstance(each, Announce)]
    assert 3 <= len(counts) <= 4
    assert set(counts) == {1}
    assert host.node.groups["web"].role is Role.ACTIVE
