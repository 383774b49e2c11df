"""What strict mode (the RFC's letter) does not allow; keepalived resets it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from drctl.lint.instance import OWNER, Instance
from drctl.lint.kind import Kind, Problem
from drctl.lint.rule import of_instance
from drctl.lint.world import World
from drctl.schema.composite_address import cut_address
from drctl.text.diagnostic import Severity

if TYPE_CHECKING:
    from drctl.syntax.expanded import Line

STRICT_MODE = Kind("DR331", "not-in-strict-mode", Severity.WARNING)

_DOWN_TIMER = 3

Say = Callable[["Line | None", str], None]


@of_instance
def check_strict(instance: Instance, world: World) -> None:
    """Each statement that strict mode resets."""
    if not instance.is_strict:
        return
    section = instance.section

    def say(line: Line | None, text: str) -> None:
        if line is not None:
            world.report.add(line, Problem(STRICT_MODE, -1, text))

    if instance.family == 6 and instance.version == 2:
        say(section.last("version"), "IPv6 needs version 3, which strict mode sets")
    state = instance.state_line
    if state is not None and (state.words[1:2] == ("MASTER",)) != (instance.priority == OWNER):
        text = f"strict mode wants state MASTER with priority {OWNER} and with no other"
        say(state, text)
    if any(":" in word for line in section.statements("use_vmac") for word in line.words[1:]):
        say(section.last("use_vmac"), "strict mode chooses the MAC address itself")
    if instance.has_vmac:
        say(section.last("vmac_xmit_base"), "vmac_xmit_base does not go with strict mode")
        if instance.unicast_line is not None and not section.has("vmac_xmit_base"):
            text = "unicast sets vmac_xmit_base, which does not go with strict mode"
            say(section.written("use_vmac"), text)
    if instance.family == 6 and not instance.is_unicast and instance.vips:
        first = instance.vips[0]
        if not _is_link_local(first.words[0]):
            say(first, "the first address must be link-local in strict mode")
    timer = section.last("down_timer_adverts") or world.setting("vrrp_down_timer_adverts")
    if timer is not None and int(timer.words[1] or 0) != _DOWN_TIMER:
        say(timer, "strict mode has a down timer of 3 adverts")
    accept = section.last("accept", "no_accept")
    is_accepting = accept is not None and accept.words[0] == "accept"
    if is_accepting and instance.priority != OWNER and instance.vrrp_version == 2:
        say(accept, "accept does not go with VRRP version 2 in strict mode")
    _check_garp(instance, say)


def _check_garp(instance: Instance, say: Say) -> None:
    section = instance.section
    for keyword in ("garp_lower_prio_repeat", "garp_lower_prio_delay"):
        line = section.last(keyword)
        if line is not None and line.words[1].strip("0+"):
            say(line, f"strict mode has {keyword} 0")
    if instance.is_on("lower_prio_no_advert") is False:
        say(section.last("lower_prio_no_advert"), "strict mode has lower_prio_no_advert on")
    if instance.is_on("higher_prio_send_advert"):
        say(section.last("higher_prio_send_advert"), "strict mode has higher_prio_send_advert off")


def _is_link_local(word: str) -> bool:
    address = cut_address(word).lower()
    return address[:3] in ("fe8", "fe9", "fea", "feb") and address[4:5] == ":"
