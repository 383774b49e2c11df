"""Two instances with one virtual router ID on one network."""

from __future__ import annotations

from drctl.lint.instance import Instance, address_of
from drctl.lint.kind import Kind, Problem
from drctl.lint.rule import after_reading
from drctl.lint.world import World
from drctl.text.diagnostic import Severity

DUPLICATE = Kind("DR342", "duplicate-router-id", Severity.ERROR)

MOST_PAIRS = 32
"""Others that an instance is compared with: where more share one ID, some pairs say enough."""


@after_reading
def check_router_ids(world: World) -> None:
    """As check_vrid_conflicts of keepalived: each pair of instances once, up to `MOST_PAIRS` for
    one of them."""
    by_network: dict[tuple[object, ...], list[Instance]] = {}
    for instance in world.instances.values():
        number = instance.word("virtual_router_id")
        if number is None:
            continue
        same = by_network.setdefault((int(number or "0"), *_network(instance)), [])
        for other in same[:MOST_PAIRS]:
            if is_conflict(other, instance):
                at = instance.at("virtual_router_id")
                text = f"virtual_router_id {number} of {instance.name} is that of {other.name} too"
                related = other.at("virtual_router_id"), f"in {other.name}"
                world.report.add(at, Problem(DUPLICATE, 0, text, "choose another"), related)
        same.append(instance)


def _network(instance: Instance) -> tuple[object, ...]:
    """What two instances have in common when they hear each other."""
    family = instance.family or 4
    if instance.is_unicast:
        return family, instance.source
    return family, instance.device, _group(instance)


def is_conflict(one: Instance, other: Instance) -> bool:
    """Whether two instances with one virtual router ID and of one family hear each other."""
    if (one.family or 4) != (other.family or 4):
        return False
    if one.is_unicast != other.is_unicast:
        return False
    devices = one.device, other.device
    if not one.is_unicast:
        return devices[0] == devices[1] and _group(one) == _group(other)
    if None not in devices and devices[0] != devices[1]:
        return False
    if not one.source or one.source != other.source:
        return False
    return bool({*map(address_of, one.peers)} & {*map(address_of, other.peers)})


def _group(instance: Instance) -> str:
    own = instance.word("mcast_dst_ip")
    if own is not None:
        return own
    keyword = "vrrp_mcast_group6" if instance.family == 6 else "vrrp_mcast_group4"
    line = instance.world.setting(keyword)
    default = "ff02::12" if instance.family == 6 else "224.0.0.18"
    return line.words[1] if line is not None else default
