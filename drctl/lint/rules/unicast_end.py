"""Unicast statements that do not go together, as keepalived finds them at an instance's end."""

from __future__ import annotations

from drctl.lint.kind import Kind, Problem
from drctl.lint.rule import at_end
from drctl.lint.section import Section
from drctl.lint.world import World
from drctl.text.diagnostic import Severity

VMAC_AND_UNICAST = Kind("DR307", "vmac-and-unicast", Severity.WARNING)
TTL_WITHOUT_PEERS = Kind("DR308", "ttl-without-peers", Severity.ERROR)
VMAC_CLEARED = Kind("DR314", "vmac-cleared", Severity.ERROR)


@at_end("vrrp_instance")
def check_unicast(section: Section, world: World) -> None:
    """keepalived names the line of the closing brace."""
    instance = world.instances.get(section.name)
    end = section.close or section.header
    if instance is None or instance.section is not section or end is None:
        return
    vmac = section.written("use_vmac", "use_ipvlan")
    if instance.unicast_line is not None and vmac is not None:
        related = vmac, "the device is made here"
        if not section.has("interface"):
            text = f"{vmac.words[0]} is ignored: with unicast it needs an interface"
            world.report.add(end, Problem(VMAC_CLEARED, -1, text), related)
        elif not section.has("vmac_xmit_base"):
            text = f"{vmac.words[0]} with unicast sets vmac_xmit_base"
            hint = "write vmac_xmit_base"
            world.report.add(end, Problem(VMAC_AND_UNICAST, -1, text, hint), related)
    ttl = section.last("unicast_ttl")
    if ttl is not None and not instance.peers:
        text = "unicast_ttl is ignored: there are no unicast peers"
        world.report.add(end, Problem(TTL_WITHOUT_PEERS, -1, text), (ttl, "set here"))
