"""Devices that keepalived makes for an instance (vmac, ipvlan), and where addresses go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drctl.lint.instance import Instance, family_of
from drctl.lint.kind import Kind, Problem
from drctl.lint.rule import of_instance
from drctl.lint.world import World
from drctl.schema.composite_address import family
from drctl.text.diagnostic import Severity

if TYPE_CHECKING:
    from drctl.syntax.expanded import Line

ALREADY_SET = Kind("DR335", "set-already-by-vmac", Severity.WARNING)
WITHOUT_VMAC = Kind("DR336", "xmit-base-without-vmac", Severity.WARNING)
NO_SOURCE = Kind("DR337", "ipvlan-without-address", Severity.ERROR)
VMAC_TWICE = Kind("DR338", "vmac-twice", Severity.WARNING)

_IPV4 = 4


@of_instance
def check_device(instance: Instance, world: World) -> None:
    """What does not go with the device, or only with one."""
    section, report = instance.section, world.report
    promote = section.last("promote_secondaries")
    if promote is not None and (instance.has_vmac or instance.has_ipvlan):
        text = "promote_secondaries is set for such devices anyway"
        report.add(promote, Problem(ALREADY_SET, -1, text, "remove it"))
    xmit = section.last("vmac_xmit_base")
    if xmit is not None and not instance.has_vmac:
        text = "vmac_xmit_base is ignored without use_vmac"
        report.add(xmit, Problem(WITHOUT_VMAC, -1, text))
    ipvlan = section.first_written("use_ipvlan")
    if ipvlan is not None and not instance.has_vmac and instance.unicast_line is not None:
        text = "unicast sets vmac_xmit_base, which goes with use_vmac only and is cleared again"
        report.add(ipvlan, Problem(WITHOUT_VMAC, -1, text))
    if ipvlan is not None and instance.family != 6 and not _has_address(ipvlan):
        text = "use_ipvlan without an IPv4 address: the instance stays in fault state"
        report.add(ipvlan, Problem(NO_SOURCE, -1, text, "give it an address"))


def _has_address(line: Line) -> bool:
    return any(family(word.partition("/")[0]) == _IPV4 for word in line.words[1:])


@of_instance
def check_address_devices(instance: Instance, world: World) -> None:
    """use_vmac of an address beside that of the instance."""
    has_all = instance.section.has("use_vmac_addr")
    for line in (*instance.vips, *instance.extra_vips):
        words = line.words
        if "use_vmac" not in words[1:]:
            continue
        device = words[words.index("dev") + 1] if "dev" in words[:-1] else None
        is_own = device is None or device == instance.device
        is_of_family = family_of(line) == (instance.family or 4)
        text = ""
        if is_own and is_of_family and instance.has_vmac:
            text = "use_vmac is said of the instance already"
        elif not (is_own and is_of_family) and has_all:
            text = "use_vmac is said of all addresses by use_vmac_addr already"
        if text:
            world.report.add(line, Problem(VMAC_TWICE, words.index("use_vmac") - 1, text))
