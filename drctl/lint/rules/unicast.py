"""Unicast and multicast statements that do not go together."""

from __future__ import annotations

from drctl.lint.instance import Instance
from drctl.lint.kind import Kind, Problem
from drctl.lint.rule import of_instance
from drctl.lint.world import World
from drctl.text.diagnostic import Severity

WITHOUT_PEERS = Kind("DR332", "unicast-without-peers", Severity.WARNING)
GROUP_WITH_UNICAST = Kind("DR333", "multicast-group-with-unicast", Severity.WARNING)
VRF_CLEARED = Kind("DR334", "vrf-cleared", Severity.WARNING)


@of_instance
def check_unicast(instance: Instance, world: World) -> None:
    """keepalived falls back to multicast without peers."""
    at = instance.unicast_line
    has_fault = instance.section.has("unicast_fault_no_peer")
    if at is not None and not instance.is_unicast and not has_fault:
        what = "no peer in unicast_peer" if at.words[0] == "unicast_peer" else "no unicast_peer"
        text = f"{at.words[0]}, but {what}: {instance.name} uses multicast"
        hint = "name the other directors in unicast_peer, or remove it"
        world.report.add(at, Problem(WITHOUT_PEERS, -1, text, hint))
    group = instance.line("mcast_dst_ip")
    if group is not None and instance.is_unicast:
        text = "mcast_dst_ip is ignored: the instance has unicast peers"
        world.report.add(group, Problem(GROUP_WITH_UNICAST, -1, text))
    vrf = instance.line("vrf")
    if vrf is not None and (instance.section.has("interface") or not instance.is_unicast):
        text = "vrf is cleared: it goes only with unicast and without interface"
        world.report.add(vrf, Problem(VRF_CLEARED, -1, text))
