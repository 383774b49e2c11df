"""What tracked things make of a priority: keepalived's rules."""

from __future__ import annotations

import pytest

from drctl.core.priority import Standing, standing
from drctl.core.value import Group, Member, Track, Vip

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
        # reversed: keepalived multiplies the weight with -1, and does not turn the state round
        (Track("script", 20, is_reversed=True), (True, 0), Standing(80)),
        (Track("script", 20, is_reversed=True), (False, 0), Standing(100)),
        (Track("script", -20, is_reversed=True), (False, 0), Standing(120)),
        (Track("script", -20, is_reversed=True), (True, 0), Standing(100)),
        (Track("script", is_reversed=True), (True, 0), Standing(100, "script failed")),
        (Track("script", is_reversed=True), (False, 0), Standing(100)),
        (Track("script", 253), (True, 0), Standing(254)),
        (Track("script", -253), (False, 0), Standing(1)),
    ],
)
def test_standing_of_one_track(track: Track, report: tuple[bool, int], expected: Standing) -> None:
    assert standing(group(track), {track.name: report}) == expected


@pytest.mark.parametrize(
    ("weight", "value", "expected"),
    [
        (1, 0, Standing(100)),
        (1, -98, Standing(2)),
        (1, -99, Standing(1)),
        (1, -253, Standing(1)),
        (1, -254, Standing(100, "file failed")),
        (1, -255, Standing(100, "file failed")),
        (1, -(2**31), Standing(100, "file failed")),
        (1, 153, Standing(253)),
        (1, 154, Standing(254)),
        (1, 253, Standing(254)),
        (1, 2**31, Standing(254)),
        (2, -126, Standing(1)),
        (2, -127, Standing(100, "file failed")),
        (-1, 253, Standing(1)),
        (-1, 254, Standing(100, "file failed")),
        (254, -1, Standing(100, "file failed")),
        (254, 1, Standing(254)),
        (-254, 1, Standing(100, "file failed")),
        (0, 0, Standing(100)),
        (0, 1, Standing(100, "file failed")),
        (0, -1, Standing(100, "file failed")),
    ],
)
def test_standing_of_a_file_has_keepalived_s_limits(
    weight: int, value: int, expected: Standing
) -> None:
    track = Track("file", weight, is_value=True)
    assert standing(group(track), {"file": (value == 0, value)}) == expected
    turned = Track("file", -weight, is_value=True, is_reversed=True)
    if weight:
        assert standing(group(turned), {"file": (value == 0, value)}) == expected
    else:
        is_fault = bool(standing(group(turned), {"file": (value == 0, value)}).fault)
        assert is_fault is not bool(expected.fault)


@pytest.mark.parametrize(
    ("value", "weight", "expected"), [(900, -10, 254), (253, -100, 253), (-253, 152, 1)]
)
def test_standing_limits_what_a_file_adds_before_the_sum(
    value: int, weight: int, expected: int
) -> None:
    tracks = (Track("file", 1, is_value=True), Track("script", weight))
    reports = {"file": (False, value), "script": (weight > 0, 0)}
    assert standing(group(*tracks), reports) == Standing(expected)


def test_standing_of_a_failed_file_keeps_the_weights_of_others() -> None:
    tracks = (Track("file", 1, is_value=True), Track("script", -30))
    reports = {"file": (False, -254), "script": (False, 0)}
    assert standing(group(*tracks), reports) == Standing(70, "file failed")


def test_standing_of_a_sync_group_is_that_of_its_lowest_member() -> None:
    a, b = Track("a", -20), Track("b", -50)
    members = (Member(100, (a,)), Member(120, (b,)), Member(255, (a, b)))
    both = Group("web", VIPS, ("eth0",), 100, tracks=(a, b), members=members)
    downs = {"a": (False, 0), "b": (False, 0)}
    found = [
        standing(both, {name: downs[name] for name in names}).priority
        for names in ("", "a", "b", "ab")
    ]
    assert found == [100, 80, 70, 70]


def test_standing_without_a_report_is_the_configured_one() -> None:
    assert standing(group(Track("script"), Track("other", -50)), {}) == Standing(100)


def test_standing_of_a_priority_255_never_changes() -> None:
    tracks = (Track("script", -100), Track("file", -1, is_value=True), Track("card"))
    reports = {"script": (False, 0), "file": (False, 100), "card": (False, 0)}
    assert standing(group(*tracks, priority=255), reports) == Standing(255, "card failed")


def test_standing_sums_weights_and_tells_the_first_fault() -> None:
    tracks = (Track("a", -10), Track("b"), Track("c"), Track("d", 5))
    reports = {name: (name == "d", 0) for name in "abcd"}
    assert standing(group(*tracks), reports) == Standing(95, "b failed")
