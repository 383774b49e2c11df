"""Single changes of a running host: how it is now, doing one, and undoing it.

Each can be done again at any time. What a change found there before is kept by who asks for it.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from drctl.adapters import host_route
from drctl.adapters.arp_rules import CHAINS, parse_arptables
from drctl.adapters.rule_tool import listed_rules, said
from drctl.errors import DrctlError, FileRefused, ToolMissing

_LIMIT_S = 30
_CHAIN = re.compile(r"^:(\S+) -", re.MULTILINE)
_CHANGING = frozenset({"handle", "packets", "bytes", "metainfo"})


@dataclass(frozen=True, slots=True)
class Step:
    """One change. `kind` says what `what` names and `value` gives it:

    sysctl: a key, its value. module: the device that it makes, the module. link: a device, `up`.
    address: a device, address/prefix. arptables: a chain, a rule's words. nft: `family table`, the
    ruleset that replaces it. iptables: the program, the input of its restore. route: `-4` or `-6`,
    or that and `table NUMBER`, the gateway of the default route. rule: a family and a preference,
    the rule's words.
    """

    kind: str
    what: str
    value: str

    def is_replaced_by(self, other: Step) -> bool:
        """Whether doing the other one leaves nothing of this one."""
        is_same = (self.kind, self.what) == (other.kind, other.what)
        return is_same and self != other and self.kind in {"sysctl", "nft", "iptables", "route"}

    def __str__(self) -> str:
        return KINDS[self.kind].words.format(what=self.what, value=self.value)


@dataclass(frozen=True, slots=True)
class Kind:
    """How it is now, as a text; what that is when it is done, None when only who did it can tell;
    doing, and undoing what was `before`."""

    words: str
    look: Callable[[Step], str]
    goal: Callable[[Step], str | None]
    do: Callable[[Step], object]
    undo: Callable[[Step, str], object]


class StepFailed(DrctlError):
    """A change could not be made."""


def look(step: Step) -> str:
    """How it is now."""
    return KINDS[step.kind].look(step)


def goal(step: Step) -> str | None:
    """What `look` says when it is done; None when that is not known before."""
    return KINDS[step.kind].goal(step)


def do(step: Step) -> None:
    """Make the change. Raises DrctlError."""
    KINDS[step.kind].do(step)


def undo(step: Step, before: str) -> None:
    """Take it back, if it is still there. Raises DrctlError."""
    KINDS[step.kind].undo(step, before)


def _run(*command: str, stdin: str | None = None) -> str:
    if shutil.which(command[0]) is None:
        raise ToolMissing(command[0], "iproute2" if command[0] == "ip" else command[0])
    try:
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=_LIMIT_S,
            close_fds=False,  # what is inherited is the lock: it is held until this ends
        )
    except (OSError, subprocess.TimeoutExpired) as cause:
        raise StepFailed(f"{' '.join(command)}: {cause}") from cause
    if done.returncode != 0:
        reason = done.stderr.strip() or f"exit status {done.returncode}"
        raise StepFailed(f"{' '.join(command)}: {reason}")
    return done.stdout


# kernel settings


def _sysctl_path(step: Step) -> Path:
    return Path("/proc/sys", *step.what.split("."))


def _read_sysctl(step: Step) -> str:
    try:
        return _sysctl_path(step).read_text("ascii").strip()
    except FileNotFoundError:
        return ""
    except OSError as cause:
        raise FileRefused("read", str(_sysctl_path(step)), cause) from cause


def _write_sysctl(step: Step, value: str) -> None:
    try:
        _sysctl_path(step).write_text(value, "ascii")
    except OSError as cause:
        raise FileRefused("write", str(_sysctl_path(step)), cause) from cause


def _undo_sysctl(step: Step, before: str) -> None:
    """Somebody may have set another value since."""
    if before and _read_sysctl(step) == step.value:
        _write_sysctl(step, before)


# links and addresses


def _links(device: str) -> list[dict[str, Any]]:
    """The device with its addresses; nothing when there is none of that name."""
    told = json.loads(_run("ip", "-json", "address", "show") or "[]")
    return [one for one in told if one.get("ifname") == device]


def _look_at_link(step: Step) -> str:
    found = _links(step.what)
    if not found:
        return ""
    return "up" if "UP" in found[0].get("flags", []) else "down"


def _look_at_device(step: Step) -> str:
    return "there" if _links(step.what) else ""


def _undo_link(step: Step, before: str) -> None:
    if before == "down" and _look_at_link(step) == "up":
        _run("ip", "link", "set", "dev", step.what, "down")


def _look_at_address(step: Step) -> str:
    address, _, prefix = step.value.partition("/")
    for link in _links(step.what):
        for one in link.get("addr_info", []):
            if one.get("local") == address and str(one.get("prefixlen")) == prefix:
                return "there"
    return ""


def _add_address(step: Step) -> None:
    """Never a second time with another mask or on a card: who put it there has to take it away."""
    address = step.value.partition("/")[0]
    for link in json.loads(_run("ip", "-json", "address", "show", "to", address) or "[]"):
        for one in link.get("addr_info", []):
            if "local" in one and (link["ifname"], str(one["prefixlen"])) != (
                step.what,
                step.value.partition("/")[2],
            ):
                there = f"{one['local']}/{one['prefixlen']} is on {link['ifname']}"
                raise StepFailed(f"{there}; take it away there first, and what brings it up")
    if not _look_at_address(step):
        _run("ip", "address", "add", step.value, "dev", step.what)


def _undo_address(step: Step, before: str) -> None:
    if not before and _look_at_address(step):
        _run("ip", "address", "del", step.value, "dev", step.what)


# rules


def _arptables() -> str:
    """The arptables that this kernel knows."""
    for tool in ("arptables", "arptables-legacy", "arptables-nft"):
        if shutil.which(tool) is not None:
            try:
                _run(tool, "-n", "-L")
            except StepFailed:
                continue
            return tool
    raise ToolMissing("arptables", "arptables")


def has_arp_chain(name: str) -> bool:
    """Whether this host's arptables has a chain of that name: that of old Red Hat has IN and OUT,
    all others INPUT and OUTPUT."""
    return f"Chain {name} " in _run(_arptables(), "-n", "-L")


def _arp_chain(step: Step) -> str:
    """As this host's arptables calls it."""
    names = (name for name, hook in CHAINS.items() if hook == CHAINS[step.what])
    return next((name for name in names if has_arp_chain(name)), step.what)


def _look_at_arptables(step: Step) -> str:
    hook = CHAINS[step.what]
    wanted = parse_arptables(f"Chain {step.what} (policy ACCEPT)\n{step.value}\n", "")[0].rules[0]
    count = 0
    for chain in parse_arptables(said(_arptables(), "-L", "-n", "-v"), ""):
        if chain.hook == hook:
            count += sum(rule.means(wanted) for rule in chain.rules)
    return "there" if count else ""


def _add_arptables(step: Step) -> None:
    """An interrupted run may have added it."""
    if not _look_at_arptables(step):
        _run(_arptables(), "-A", _arp_chain(step), *step.value.split())


def _undo_arptables(step: Step, before: str) -> None:
    while not before and _look_at_arptables(step):
        _run(_arptables(), "-D", _arp_chain(step), *step.value.split())


def _look_at_nft(step: Step) -> str:
    mine = _nft_entries(step, listed_rules())
    return json.dumps(mine, sort_keys=True) if mine else ""


def _nft_entries(step: Step, listed: str) -> list[Any]:
    family, _, table = step.what.partition(" ")
    return [
        _steady(entry)
        for entry in json.loads(listed or "{}").get("nftables", [])
        for kind, value in entry.items()
        if value.get("family") == family
        and value.get("name" if kind == "table" else "table") == table
    ]


def _nft_goal(step: Step) -> str | None:
    told = _in_fresh_namespace("nft -f - && nft -j list ruleset", step.value)
    return None if told is None else json.dumps(_nft_entries(step, told), sort_keys=True)


@lru_cache(maxsize=8)
def _in_fresh_namespace(command: str, stdin: str) -> str | None:
    """What a command says in a network namespace without anything; None where none can be made."""
    if shutil.which("unshare") is None:
        return None
    try:
        return _run("unshare", "--net", "sh", "-c", command, stdin=stdin)
    except StepFailed:
        return None


def _load_nft(step: Step) -> None:
    """Over a table of ours alone: one of that name that looks different is somebody else's."""
    chains = set(re.findall(r"^\s*chain (\S+) \{", step.value, re.MULTILINE))
    for entry in _nft_entries(step, listed_rules()):
        for kind, value in entry.items():
            name = value.get("name", value.get("chain"))
            if kind not in {"table", "chain", "rule"} or (kind != "table" and name not in chains):
                raise StepFailed(
                    f"the table {step.what} is there and not drctl's (it has the {kind} {name}); "
                    "give it another name first"
                )
    _run("nft", "-f", "-", stdin=step.value)


def _steady(value: Any) -> Any:
    """Without what changes from one listing to the next."""
    if isinstance(value, dict):
        return {key: _steady(one) for key, one in value.items() if key not in _CHANGING}
    return [_steady(one) for one in value] if isinstance(value, list) else value


def _undo_nft(step: Step, before: str) -> None:
    """A table of that name that was there before brings up the same boot files; it stays."""
    if not before and _look_at_nft(step):
        _run("nft", f"delete table {step.what}")


def _chain(step: Step) -> str:
    found = _CHAIN.search(step.value)
    assert found is not None, "our own rules name their chain"
    return found[1]


def _look_at_iptables(step: Step) -> str:
    return _chain_in(step, said(f"{step.what}-save", "-t", "nat"))


def _chain_in(step: Step, saved: str) -> str:
    start = f"-A {_chain(step)} "
    lines = saved.splitlines()
    return "\n".join(one for one in lines if one.startswith(start) or _is_jump(step, one))


def _is_jump(step: Step, line: str) -> bool:
    return line.startswith("-A PREROUTING") and line.endswith(f"-j {_chain(step)}")


def _iptables_goal(step: Step) -> str | None:
    command = f"{step.what}-restore --noflush && {step.what}-save -t nat"
    told = _in_fresh_namespace(command, step.value)
    return None if told is None else _chain_in(step, told)


def _load_iptables(step: Step) -> None:
    """Over a chain of ours alone, which redirects and does nothing else."""
    there = _look_at_iptables(step).splitlines()
    for line in there:
        if not _is_jump(step, line) and not re.search(r" -j (?:REDIRECT|DNAT)\b", line):
            raise StepFailed(
                f"the chain {_chain(step)} of {step.what} is there and not drctl's ({line}); give "
                "it another name first"
            )
    has_jump = any(_is_jump(step, line) for line in there)
    kept = [line for line in step.value.splitlines() if not (has_jump and _is_jump(step, line))]
    _run(f"{step.what}-restore", "--noflush", stdin="\n".join(kept) + "\n")


def _undo_iptables(step: Step, before: str) -> None:
    there = "" if before else _look_at_iptables(step)
    for line in there.splitlines():
        if _is_jump(step, line):
            _run(step.what, "-t", "nat", "-D", "PREROUTING", "-j", _chain(step))
    if not before and _has_chain(step):
        _run(step.what, "-t", "nat", "-F", _chain(step))
        _run(step.what, "-t", "nat", "-X", _chain(step))


def _has_chain(step: Step) -> bool:
    saved = said(f"{step.what}-save", "-t", "nat")
    return any(line.startswith(f":{_chain(step)} ") for line in saved.splitlines())


# ways back


def _undo_rule(step: Step, before: str) -> None:
    if not before:
        host_route.remove_rule(_run, step.what, step.value)


KINDS = {
    "sysctl": Kind(
        "{what} = {value}",
        _read_sysctl,
        lambda step: step.value,
        lambda step: _write_sysctl(step, step.value),
        _undo_sysctl,
    ),
    "module": Kind(
        "load module {value} for {what}",
        _look_at_device,
        lambda _: "there",
        lambda step: _run("modprobe", step.value),
        lambda _step, _before: None,
    ),
    "link": Kind(
        "set {what} up",
        _look_at_link,
        lambda _: "up",
        lambda step: _run("ip", "link", "set", "dev", step.what, "up"),
        _undo_link,
    ),
    "address": Kind(
        "add {value} to {what}",
        _look_at_address,
        lambda _: "there",
        _add_address,
        _undo_address,
    ),
    "arptables": Kind(
        "arptables -A {what} {value}",
        _look_at_arptables,
        lambda _: "there",
        _add_arptables,
        _undo_arptables,
    ),
    "nft": Kind(
        "load the nftables table {what}",
        _look_at_nft,
        _nft_goal,
        _load_nft,
        _undo_nft,
    ),
    "iptables": Kind(
        "load our chain of {what}",
        _look_at_iptables,
        _iptables_goal,
        _load_iptables,
        _undo_iptables,
    ),
    "route": Kind(
        "{what} default route via {value}",
        lambda step: host_route.look(_run, step.what, step.value),
        lambda step: host_route.goal(step.value),
        lambda step: host_route.set_default(_run, step.what, step.value),
        lambda step, before: host_route.put_back(_run, step.what, step.value, before),
    ),
    "rule": Kind(
        "rule {what}: {value}",
        lambda step: "there" if host_route.has_rule(_run, step.what, step.value) else "",
        lambda _: "there",
        lambda step: host_route.add_rule(_run, step.what, step.value),
        _undo_rule,
    ),
}
