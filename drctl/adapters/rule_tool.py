"""What a packet filter's program says. A kernel without its part has no rules; anything else that
goes wrong is an error, since rules that nobody could read are not rules that are not there."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from drctl.adapters.nftables import Tables
from drctl.errors import DrctlError, ToolMissing

_LIMIT_S = 20
_PACKAGES = {"nft": "nftables", "iptables-save": "iptables", "ip6tables-save": "iptables"}
_DORMANT = "dormant"
_FAMILIES = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}
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


def listed_rules() -> str:
    """`nft -j list ruleset`, with what older versions leave out: the flag of dormant tables, and
    the devices of chains that stand at some (always a list)."""
    listed = said("nft", "-j", "list", "ruleset")
    if not listed.strip():
        return listed
    tables = Tables()
    try:
        asleep = {(_FAMILIES.get(family, ""), name) for family, name in tables.dormant()}
        devices = {
            (_FAMILIES.get(family, ""), table, chain): list(names)
            for (family, table, chain), names in tables.chain_devices().items()
        }
    finally:
        tables.close()
    if not asleep and not devices:
        return listed
    told = json.loads(listed)
    for entry in told["nftables"]:
        table, chain = entry.get("table"), entry.get("chain")
        if table is not None and (table["family"], table["name"]) in asleep:
            table["flags"] = _DORMANT
        if chain is not None:
            place = chain["family"], chain["table"], chain["name"]
            if place in devices:
                chain["dev"] = devices[place]
    return json.dumps(told)


def ruleset(listed: str) -> list[dict[str, Any]]:
    """What `listed_rules` has said, but for what is in dormant tables: that sees no
    packets."""
    entries: list[dict[str, Any]] = json.loads(listed or "{}").get("nftables", [])
    asleep = {
        (one["family"], one["name"])
        for entry in entries
        if (one := entry.get("table")) and _DORMANT in one.get("flags", ())
    }
    return [
        entry
        for entry in entries
        if not any((one.get("family"), one.get("table")) in asleep for one in entry.values())
    ]
