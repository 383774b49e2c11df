"""Two instances on one device that keepalived makes for a virtual router ID."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from drctl.lint.instance import Instance, family_of
from drctl.lint.kind import Kind, Problem
from drctl.lint.rule import after_reading
from drctl.lint.rules.router_id import MOST_PAIRS, is_conflict
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


class _User(NamedTuple):
    """An instance, and the lines that put addresses on such devices."""

    instance: Instance
    devices: tuple[tuple[Line, _Device], ...]


@after_reading
def check_shared_devices(world: World) -> None:
    """As check_vmac_conflicts of keepalived 2.2.7, by the MAC address as the daemon has it; `-t`
    makes no devices, so it compares names and mostly finds nothing."""
    makers: dict[str, _Device] = {}
    if world.has_setting("dynamic_interfaces"):
        for maker in world.instances.values():
            if maker.own_device is not None and (made := _own(maker)) is not None:
                makers.setdefault(maker.own_device, made)
    by_id: dict[int, dict[_Device, list[_User]]] = {}
    for instance in world.instances.values():
        number = instance.word("virtual_router_id")
        if number is None:
            continue
        users = by_id.setdefault(int(number or "0"), {})
        user = _User(instance, tuple(_devices(instance, makers)))
        own = [] if (device := _own(instance)) is None else [(instance.at("use_vmac"), device)]
        wanted = (*own, *user.devices)
        others = {
            id(one): one for _, device in wanted for one in users.get(device, ())[:MOST_PAIRS]
        }
        for other in others.values():
            _check_pair(other, user.instance, wanted, world)
        for device in dict.fromkeys(device for _, device in user.devices):
            users.setdefault(device, []).append(user)


def _check_pair(
    user: _User, other: Instance, wanted: tuple[tuple[Line, _Device], ...], world: World
) -> None:
    one = user.instance
    group = sync_group_of(other, world)
    if (group is not None and group is sync_group_of(one, world)) or is_conflict(one, other):
        return
    taken = {device: line for line, device in user.devices}
    for line, device in wanted:
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


def _devices(instance: Instance, makers: dict[str, _Device]) -> Iterator[tuple[Line, _Device]]:
    """The addresses that are put on such a device; `makers` are those with names of their own."""
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
        elif base is not None and base in makers:
            yield line, makers[base]
