"""What a packet filter's program says. A kernel without its part has no rules; anything else that
goes wrong is an error, since rules that nobody could read are not rules that are not there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from drctl.errors import DrctlError, ToolMissing

_LIMIT_S = 20
_PACKAGES = {"nft": "nftables", "iptables-save": "iptables", "ip6tables-save": "iptables"}
_LACKING = re.compile(
    r"not supported|No such file|does not exist|Unable to init|can't initialize|No chain/target"
)


class RulesUnreadable(DrctlError):
    """A tool could not say what rules there are."""


def has_legacy_table(names: str, table: str) -> bool:
    """Whether this namespace has a table of the older kind; `names` is the kernel's list of them
    (`arp_tables_names`, `ip_tables_names`, `ip6_tables_names`)."""
    try:
        return table in Path("/proc/self/net", names).read_text("ascii").split()
    except FileNotFoundError:
        return False


def said(*command: str) -> str:
    """What the program prints; nothing where the kernel lacks what it is for."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_LIMIT_S
        )
    except FileNotFoundError as cause:
        raise ToolMissing(command[0], _PACKAGES.get(command[0], command[0])) from cause
    except (OSError, subprocess.TimeoutExpired) as cause:
        raise RulesUnreadable(f"{' '.join(command)}: {cause}") from cause
    if done.returncode == 0:
        return done.stdout
    reason = done.stderr.strip()
    if _LACKING.search(reason):
        return ""
    raise RulesUnreadable(f"{' '.join(command)}: {reason or done.returncode}")
