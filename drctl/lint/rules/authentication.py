"""Authentication that keepalived does not use."""

from __future__ import annotations

from drctl.lint.instance import OWNER, Instance
from drctl.lint.kind import Kind, Problem
from drctl.lint.rule import of_instance
from drctl.lint.world import World
from drctl.text.diagnostic import Severity

IGNORED = Kind("DR326", "authentication-ignored", Severity.WARNING)
MASTER_WITH_AH = Kind("DR327", "master-with-ah", Severity.WARNING)


@of_instance
def check_authentication(instance: Instance, world: World) -> None:
    """Only the first of several reasons is told."""
    lines = [line for block in instance.section.blocks("authentication") for line in block.lines]
    kinds = [line for line in lines if line.words[0] == "auth_type"]
    if not kinds:
        return
    at, auth_type = kinds[-1], kinds[-1].words[1]
    has_password = any(line.words[0] == "auth_pass" and any(line.words[1:2]) for line in lines)
    reason = ""
    if instance.is_strict:
        reason = "strict mode has none"
    elif instance.vrrp_version == 3:
        reason = "VRRP version 3 has none"
    elif not has_password:
        reason = "there is no auth_pass"
    elif instance.family == 6 and auth_type == "AH":
        reason = "AH is not possible with IPv6"
    if reason:
        text = f"authentication of {instance.name} is ignored: {reason}"
        world.report.add(at, Problem(IGNORED, -1, text))
    elif auth_type == "AH" and instance.is_master and instance.priority != OWNER:
        text = "AH cannot begin as MASTER: the state at the start becomes BACKUP"
        world.report.add(instance.state_line or at, Problem(MASTER_WITH_AH, -1, text))
