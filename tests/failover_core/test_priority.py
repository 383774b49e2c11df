"""What tracked things make of a priority: keepalived's rules."""

from __future__ import annotations

import pytest

from drctl.core.priority import Standing, standing
from drctl.core.value import Group, Track, Vip

VIPS = (Vip("192.0.2.100", 24, "eth0"),)


def group(*tracks: Track, priority: int = 100) -> Group:
    return Group("web", VIPS, ("eth0",), priority, tracks=tracks)


@pytest.mark.parametrize(
    ("track", "report", "expected"),
    [
        (Track("script"), (False, 0), Standing(100, "script failed")),
        (Track("script"), (True, 0), Standing(100)),
        (Track("script", 20), (True, 0), Standing(120)),
        (Track("script", 20), (False, 0), Standing(100)),
        (Track("script", -20), (False, 0), Standing(80)),
        (Track("script", -20), (True, 0), Standing(100)),
        (Track("file", 2, is_value=True), (True, 15), Standing(130)),
        (Track("file", 1, is_value=True), (True, 900), Standing(254)),
        (Track("file", 1, is_value=True), (True, -900), Standing(1)),
    ],
)
def test_standing_of_one_track(track: Track, report: tuple[bool, int], expected: Standing) -> None:
    assert standing(group(track), {track.name: report}) == expected


def test_standing_without_a_report_is_the_configured_one() -> None:
    assert standing(group(Track("script"), Track("other", -50)), {}) == Standing(100)


def test_standing_of_a_priority_255_stays_without_weights() -> None:
    assert standing(group(Track("script"), priority=255), {"script": (True, 0)}) == Standing(255)


def test_standing_sums_weights_and_tells_the_first_fault() -> None:
    tracks = (Track("a", -10), Track("b"), Track("c"), Track("d", 5))
    reports = {name: (name == "d", 0) for name in "abcd"}
    assert standing(group(*tracks), reports) == Standing(95, "b failed")
