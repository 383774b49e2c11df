"""Two instances on one device that keepalived makes for a virtual router ID."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from drctl.lint.instance import Instance, family_of
from drctl.lint.kind import Kind, Problem
from drctl.lint.rule import after_reading
from drctl.lint.rules.router_id import is_conflict
from drctl.lint.rules.tracking import sync_group_of
from drctl.lint.world import World
from drctl.text.diagnostic import Severity

if TYPE_CHECKING:
    from drctl.syntax.expanded import Line

SHARED = Kind("DR339", "shared-vmac-device", Severity.WARNING)


class _Device(NamedTuple):
    """A device with a virtual router's MAC address: there is one for each of these."""

    base: str | None
    family: int


@after_reading
def check_shared_devices(world: World) -> None:
    """As check_vmac_conflicts of keepalived 2.2.7, by the MAC address as the daemon has it; `-t`
    makes no devices, so it compares names and mostly finds nothing."""
    by_id: dict[int, list[Instance]] = {}
    for instance in world.instances.values():
        number = instance.word("virtual_router_id")
        if number is None:
            continue
        same = by_id.setdefault(int(number or "0"), [])
        for other in same:
            _check_pair(other, instance, world)
        same.append(instance)


def _check_pair(one: Instance, other: Instance, world: World) -> None:
    group = sync_group_of(other, world)
    if (group is not None and group is sync_group_of(one, world)) or is_conflict(one, other):
        return
    taken = {device: line for line, device in _devices(one, world)}
    own = [] if (device := _own(other)) is None else [(other.at("use_vmac"), device)]
    for line, device in (*own, *_devices(other, world)):
        if device in taken:
            text = (
                f"{other.name} is disabled: it uses the device of {one.name} for"
                f" virtual_router_id {other.word('virtual_router_id')}"
            )
            hint = "choose another virtual_router_id, or put both into a sync group"
            world.report.add(line, Problem(SHARED, -1, text, hint), (taken[device], "used here"))
            return


def _own(instance: Instance) -> _Device | None:
    """The device of the whole instance."""
    return _Device(instance.device, instance.family or 4) if instance.has_vmac else None


def _devices(instance: Instance, world: World) -> Iterator[tuple[Line, _Device]]:
    """The addresses that are put on such a device."""
    has_all = instance.section.has("use_vmac_addr")
    own = _own(instance)
    for line in (*instance.vips, *instance.extra_vips):
        words = line.words
        base = words[words.index("dev") + 1] if "dev" in words[:-1] else instance.device
        family = family_of(line)
        is_main = base == instance.device and family == (instance.family or 4)
        if is_main and own is not None:
            yield line, own
        elif "use_vmac" in words[1:] or (has_all and not is_main):
            yield line, _Device(base, family)
        elif world.has_setting("dynamic_interfaces"):
            for maker in world.instances.values():
                made = _own(maker)
                if made is not None and base is not None and base == maker.own_device:
                    yield line, made
