"""What a VRRP instance cannot do without."""

from __future__ import annotations

from drctl.lint.instance import Instance
from drctl.lint.kind import Kind, Problem
from drctl.lint.rule import of_instance
from drctl.lint.world import World
from drctl.text.diagnostic import Severity

NO_ROUTER_ID = Kind("DR320", "missing-router-id", Severity.ERROR)
NO_INTERFACE = Kind("DR321", "missing-interface", Severity.ERROR)
NO_ADDRESS = Kind("DR322", "missing-virtual-address", Severity.ERROR)
FEW_ADDRESSES = Kind("DR323", "no-virtual-address", Severity.WARNING)
TOO_MANY_ADDRESSES = Kind("DR324", "too-many-virtual-addresses", Severity.WARNING)

_ETHERNET_MTU = 1500
_MOST_ADDRESSES = 255


@of_instance
def check_minimum(instance: Instance, world: World) -> None:
    """keepalived checks nothing more after the first of these. A statement that is there but
    refused has its own finding."""
    header = instance.header
    if instance.section.written("virtual_router_id") is None:
        text = f"{instance.name} has no virtual_router_id: keepalived does not start VRRP"
        world.report.add(header, Problem(NO_ROUTER_ID, 0, text))
    needs_interface = world.version < (2, 2, 8) or instance.unicast_line is None
    if instance.section.written("interface") is None and needs_interface:
        text = f"{instance.name} has no interface"
        world.report.add(header, Problem(NO_INTERFACE, 0, text))


@of_instance
def check_addresses(instance: Instance, world: World) -> None:
    """Version 3 and strict mode insist on an address, version 2 advises it."""
    blocks = instance.section.blocks("virtual_ipaddress")
    at = blocks[-1].header if blocks and blocks[-1].header else instance.header
    is_empty = not any(block.items for block in blocks)
    if is_empty and not instance.section.has("no_virtual_ipaddress"):
        is_needed = instance.vrrp_version == 3 or instance.is_strict
        kind = NO_ADDRESS if is_needed else FEW_ADDRESSES
        text = f"{instance.name} has no virtual address"
        world.report.add(at, Problem(kind, 0 if at is instance.header else -1, text))
    most = _most_addresses(instance)
    if len(instance.vips) > most:
        text = f"{len(instance.vips)} addresses are more than the {most} that fit into an advert"
        hint = "move the others to virtual_ipaddress_excluded"
        world.report.add(at, Problem(TOO_MANY_ADDRESSES, -1, text, hint))


def _most_addresses(instance: Instance) -> int:
    if instance.family == 6:
        return min(_MOST_ADDRESSES, (_ETHERNET_MTU - 14 - 40 - 8) // 16)
    header_bytes = 14 + 20 + 8
    if instance.vrrp_version == 2:
        header_bytes += 8
        auth = instance.section.blocks("authentication")
        kind = auth[-1].last("auth_type") if auth else None
        if kind is not None and kind.words[1:2] == ("AH",):
            header_bytes += 24
    return min(_MOST_ADDRESSES, (_ETHERNET_MTU - header_bytes) // 4)
