"""Heartbeats as bytes: what is written is read, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drctl.core.beat import NEWEST_VERSION, Beat, GroupBeat
from drctl.core.role import Role
from drctl.core.wire import (
    GROUPS_LIMIT,
    SIZE_LIMIT_BYTES,
    VERSIONS,
    OtherVersion,
    WireError,
    decode,
    encode,
)

NUMBERS = st.integers(0, 2**64 - 1)
NAMES = st.text(st.characters(codec="utf-8"), max_size=60)
MACS = st.binary(min_size=6, max_size=6).map(lambda raw: raw.hex(":"))
GROUPS = st.builds(
    GroupBeat,
    NAMES,
    st.sampled_from(Role),
    NUMBERS,
    st.integers(0, 255),
    is_eligible=st.booleans(),
    may_answer=st.booleans(),
    is_blind=st.booleans(),
    wants=st.booleans(),
    is_asking=st.booleans(),
    target=NAMES,
)
BEATS = st.builds(
    Beat,
    NAMES,
    NUMBERS,
    NUMBERS,
    NUMBERS,
    NUMBERS,
    NAMES,
    st.lists(MACS, max_size=5).map(tuple),
    st.lists(GROUPS, max_size=4, unique_by=lambda group: group.name).map(tuple),
    st.integers(NEWEST_VERSION, 255),
)
PLAIN = Beat(
    "lb1", 1, 2, 3, 4, "digest", ("02:00:00:00:00:01",), (GroupBeat("g", Role.ACTIVE, 9, 150),)
)


@given(BEATS)
@settings(deadline=None)
def test_wire_any_beat_comes_back(beat: Beat) -> None:
    assert decode(encode(beat)) == beat


@given(BEATS)
@settings(deadline=None)
def test_wire_beat_of_the_version_before_has_all_but_what_is_new(beat: Beat) -> None:
    groups = tuple(replace(group, is_asking=False) for group in beat.groups)
    before = encode(beat, NEWEST_VERSION - 1)
    assert decode(before) == replace(beat, groups=groups, newest=NEWEST_VERSION - 1)
    assert decode(before, NEWEST_VERSION - 1) == decode(before)


def test_wire_version_one_is_as_it_always_was() -> None:
    group = GroupBeat("g", Role.ACTIVE, 9, 150, is_eligible=True, wants=True, target="lb2")
    beat = Beat("lb1", 1, 2, 3, 4, "d", ("02:00:00:00:00:01",), (group,))
    layout = """
        4452 01 0000000000000001 0000000000000002 0000000000000003 0000000000000004
        03 6c6231 01 64 01 020000000001 01
        01 67 03 09 0000000000000009 96 03 6c6232
    """
    assert encode(beat, 1) == bytes.fromhex(layout)


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_wire_any_bytes_are_a_beat_or_an_error(data: bytes) -> None:
    try:
        beat = decode(data)
    except WireError:
        return
    assert encode(beat, data[2]) == data


@given(BEATS, st.data())
@settings(deadline=None)
def test_wire_changed_byte_is_another_beat_or_an_error(beat: Beat, draw: st.DataObject) -> None:
    data = bytearray(encode(beat))
    at = draw.draw(st.integers(0, len(data) - 1))
    data[at] ^= draw.draw(st.integers(1, 255))
    try:
        other = decode(bytes(data))
    except WireError:
        return
    assert other != beat


def test_wire_every_truncation_is_an_error() -> None:
    data = encode(PLAIN)
    for size in range(len(data)):
        with pytest.raises(WireError):
            decode(data[:size])


def test_wire_bytes_that_follow_are_an_error() -> None:
    with pytest.raises(WireError, match="1 bytes follow"):
        decode(encode(PLAIN) + b"\0")


def test_wire_other_version_is_told() -> None:
    data = bytearray(encode(PLAIN))
    data[2] = NEWEST_VERSION + 1
    with pytest.raises(OtherVersion, match="version 3, this is 2"):
        decode(bytes(data))
    with pytest.raises(OtherVersion, match="version 2, this is 1"):
        decode(encode(PLAIN), NEWEST_VERSION - 1)


def test_wire_sender_that_does_not_understand_itself_is_an_error() -> None:
    with pytest.raises(WireError, match="understands 1"):
        decode(encode(replace(PLAIN, newest=1)))


def test_wire_the_two_newest_versions_are_read_and_written() -> None:
    assert VERSIONS == (NEWEST_VERSION - 1, NEWEST_VERSION)


def test_wire_group_named_twice_is_an_error() -> None:
    twice = Beat("lb1", 1, 2, groups=(GroupBeat("g", Role.ACTIVE, 9, 150),) * 2)
    with pytest.raises(WireError, match="twice"):
        decode(encode(twice))


def test_wire_more_than_the_limit_is_an_error() -> None:
    many = tuple(GroupBeat(str(number), Role.STANDBY, 1, 1) for number in range(GROUPS_LIMIT + 1))
    with pytest.raises(WireError, match="too many"):
        encode(Beat("lb1", 1, 2, groups=many))
    with pytest.raises(WireError, match="more than"):
        decode(bytes(SIZE_LIMIT_BYTES + 1))
    with pytest.raises(WireError, match="longer than 255"):
        encode(Beat("x" * 256, 1, 2))
