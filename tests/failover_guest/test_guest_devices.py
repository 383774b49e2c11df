"""VIPs on a bond, on VLANs of a card and of a bond, on a macvlan and on a bridge."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterable

import pytest
from device_case import (
    BOND,
    BOND_VLAN,
    BRIDGE,
    KINDS,
    MACVLAN,
    VLAN,
    Daemon,
    Devices,
    Kind,
    now_ms,
    pass_time,
)
from live_case import FULL

KERNELS = ("uml", "qemu")
OVERLAP_MS = 50
ON_BOND, ON_CARD = (BOND, BOND_VLAN), (VLAN, MACVLAN)


def _each(*kinds: Kind, quick: Kind | None = None) -> pytest.MarkDecorator:
    """A test for each of the kinds; all but the quick one are left to DRCTL_FULL=1."""
    marks = {kind: () if quick in {None, kind} else FULL for kind in kinds}
    some = [pytest.param(kind, id=kind.name, marks=marks[kind]) for kind in kinds]
    return pytest.mark.parametrize("kind", some)


def _mac(director: Daemon, device: str) -> str:
    return director.host.mac(device)


def _ports(live: Devices, director: Daemon, state: str, *names: str) -> None:
    """Set the switch's ends of these links of a director up or down."""
    live.switch.ip_batch(*(f"link set {director.name}-{name} {state}" for name in names))


def _stays_without_beats(
    live: Devices, holder: Daemon, kinds: Iterable[Kind], since_ms: float
) -> None:
    """The other one does not hear it any more, and sees that a director answers, not a stranger."""
    other = live.other(holder)
    _ports(live, other, "down", "beat")
    try:
        pass_time(5 * live.pace.heartbeat_ms / 1000)
        roles = {kind.name: other.groups()[kind.name]["role"] for kind in kinds}
        for seen in live.seen(kinds, since_ms).values():
            assert seen.holders == (holder.name,), live.logs()
    finally:
        _ports(live, other, "up", "beat")
    assert roles == dict.fromkeys(roles, "suspect"), live.logs()


def _bond(director: Daemon) -> dict[str, str]:
    shown = json.loads(director.host.ip("-json", "-details", "link", "show", "bond0"))[0]
    return {
        "active": str(shown["linkinfo"]["info_data"].get("active_slave", "")),
        "mac": str(shown["address"]),
        "carrier": str(shown["operstate"]),
    }


def test_macvlan_vip_is_answered_by_two_macs_of_one_director(live: Devices) -> None:
    holder = live.holder(MACVLAN)
    macs = {_mac(holder, "mac0"), _mac(holder, "eth0")}
    assert live.answering_macs(MACVLAN) == macs


@_each(*KINDS, quick=BOND_VLAN)
def test_switchover_no_packet_is_lost_and_no_request_answered_twice(
    live: Devices, kind: Kind
) -> None:
    """Without a fence both answer for as long as they overlap."""
    first, at_ms = live.holder(kind), now_ms()
    answer = first.request("switch", kind.name)
    assert answer["ok"], answer
    live.await_holder(live.other(first), [kind])
    twice = 0 if live.pace.has_fence else 1 + OVERLAP_MS // round(live.pace.period_s * 1000)
    seen = live.seen([kind], at_ms, 1, twice=twice)[kind.name]
    assert seen.holders == (first.name, live.other(first).name), live.logs()
    assert live.streams[kind.name].losses(at_ms) == (0, 0), live.logs()


@FULL
def test_controller_killed_every_vip_moves(live: Devices) -> None:
    first, at_ms = live.holder(), now_ms()
    first.signal(signal.SIGKILL)
    live.await_holder(live.other(first), KINDS)
    for seen in live.seen(KINDS, at_ms, 1).values():
        assert seen.holders == (first.name, live.other(first).name), live.logs()


def test_everything_stopped_kernel_silences_every_device(live: Devices) -> None:
    """No daemon runs and nobody answers: the fence saw to it, for the addresses are there; where
    there is none, they are gone."""
    first, has_fence = live.holder(), live.pace.has_fence
    lapse_ms = live.pace.fence_ms if has_fence else live.pace.lease_ms
    for each in live.directors.values():
        each.signal_all(signal.SIGSTOP)
    stopped_ms = now_ms()
    try:
        pass_time(lapse_ms / 1000 + 1)
        asked_ms = now_ms() + 1000
        present = first.host.ip("address")
        seen = live.seen(KINDS, asked_ms, 1)
    finally:
        for each in live.directors.values():
            each.signal_all(signal.SIGCONT)
    assert {f" {kind.vip}/" in present for kind in KINDS} == {has_fence}, present
    assert {name: each.holders for name, each in seen.items()} == dict.fromkeys(seen, ())
    for kind in KINDS:
        live.holder(kind)
    live.quiet()
    live.seen(KINDS, stopped_ms, 1)


# while the bond is deaf for a moment a process that gets no time cannot give way, and with leases
# alone its kernel answers until they end: a guest that is starved fails here
@FULL
def test_slave_of_bond_dies_vips_stay_with_the_new_mac(live: Devices) -> None:
    holder, at_ms = live.holder(), now_ms()
    before, epochs = _bond(holder), {name: g["epoch"] for name, g in holder.groups().items()}
    _ports(live, holder, "down", before["active"])
    try:
        live.wait(lambda: _bond(holder)["active"] not in {before["active"], ""}, "no other slave")
        after = _bond(holder)
        assert (after["carrier"], after["mac"] != before["mac"]) == ("UP", True), after
        live.await_holder(holder, ON_BOND)
        _stays_without_beats(live, holder, ON_BOND, at_ms)
        assert {name: g["epoch"] for name, g in holder.groups().items()} == epochs
        assert live.answering_macs(BOND) == {after["mac"]}
    finally:
        _ports(live, holder, "up", before["active"])


def test_all_slaves_of_bond_die_its_vips_move_and_no_others(live: Devices) -> None:
    holder, at_ms = live.holder(), now_ms()
    _ports(live, holder, "down", "one", "two")
    try:
        live.await_holder(live.other(holder), ON_BOND)
        for seen in live.seen(ON_BOND, at_ms, 1).values():
            assert seen.holders == (holder.name, live.other(holder).name), live.logs()
        for seen in live.seen((*ON_CARD, BRIDGE), at_ms).values():
            assert seen.holders == (holder.name,), live.logs()
        assert holder.groups()["bond"]["role"] == "fault", holder.groups()
    finally:
        _ports(live, holder, "up", "one", "two")
    healed_ms = now_ms()
    live.quiet()
    for seen in live.seen(ON_BOND, healed_ms, 1).values():
        assert seen.holders == (live.other(holder).name,), live.logs()


@FULL
@pytest.mark.parametrize(
    ("port", "kinds"), [("card", ON_CARD), ("port", (BRIDGE,))], ids=["card", "bridge-port"]
)
def test_lower_device_loses_carrier_its_vips_move_and_no_others(
    live: Devices, port: str, kinds: tuple[Kind, ...]
) -> None:
    holder, at_ms = live.holder(), now_ms()
    _ports(live, holder, "down", port)
    try:
        live.await_holder(live.other(holder), kinds)
        for seen in live.seen(kinds, at_ms, 1).values():
            assert seen.holders == (holder.name, live.other(holder).name), live.logs()
        for seen in live.seen(set(KINDS) - set(kinds), at_ms).values():
            assert seen.holders == (holder.name,), live.logs()
    finally:
        _ports(live, holder, "up", port)
    live.quiet()


@FULL
@_each(VLAN, BRIDGE)
def test_link_under_a_device_dies_silently_its_vip_moves(live: Devices, kind: Kind) -> None:
    holder, at_ms = live.holder(), now_ms()
    port = f"{holder.name}-{'card' if kind is VLAN else 'port'}"
    live.switch.run("bridge", "link", "set", "dev", port, "state", "0")
    try:
        live.await_holder(live.other(holder), [kind])
        live.seen([kind], at_ms, 1)
    finally:
        healed_ms = now_ms()
        live.switch.run("bridge", "link", "set", "dev", port, "state", "3")
    live.quiet()
    live.seen([kind], healed_ms, 1)


@_each(VLAN, MACVLAN, BRIDGE, quick=VLAN)
def test_mac_changed_by_hand_is_announced_and_known_to_the_peer(live: Devices, kind: Kind) -> None:
    holder, stream = live.holder(), live.streams[kind.name]
    # a VLAN has the address of its card
    device = "eth0" if kind is VLAN else kind.device
    before, mac = _mac(holder, device), "02:00:5e:00:53:01"
    live.owners[mac] = holder.name
    holder.host.ip("link", "set", device, "address", mac)
    try:
        pass_time(1)
        told_ms = now_ms()
        pass_time(2 + live.pace.unseen_s)
        # the client's kernel sends to the new MAC: nothing but an announcement tells it
        lost, _ = stream.losses(told_ms)
        assert lost == 0, live.logs()
        _stays_without_beats(live, holder, [kind], told_ms)
    finally:
        holder.host.ip("link", "set", device, "address", before)
    live.quiet()
