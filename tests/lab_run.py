"""Running `drctl lab run` for tests: the command as a user has it, and what it leaves behind."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tools import need, need_root, refuse

TIMEOUT_S = 900


def need_uml() -> None:
    """Everything that a lab in User-mode Linux needs, or the test is skipped."""
    need_root()
    need("linux.uml", "user-mode-linux")
    _need_hosts_tools()
    need("arptables-legacy", "arptables")
    need("iptables-legacy", "iptables")


def need_qemu() -> None:
    """Everything that a lab in QEMU needs, or the test is skipped."""
    need_root()
    need("qemu-system-x86_64", "qemu-system-x86")
    _need_hosts_tools()
    need("nft", "nftables")
    need("arptables-nft", "iptables")
    if not list(Path("/boot").glob("vmlinuz-*-amd64")):
        refuse("no Debian kernel in /boot (Debian package linux-image-amd64)")


def _need_hosts_tools() -> None:
    need("keepalived", "keepalived")
    need("ipvsadm", "ipvsadm")
    need("ip", "iproute2")
    need("modprobe", "kmod")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "drctl", "lab", "run", *arguments]


def run_lab(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit code and the JSON; the test fails with what was said when there is none."""
    done = subprocess.run(
        command(*arguments, "--json"),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.stdout, f"exit code {done.returncode}: {done.stderr}"
    result: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, result


def failures(trial: dict[str, Any]) -> list[str]:
    """What did not hold in a trial, readable."""
    found = [
        f"{a['name']} {a['phase']} {a['subject']}: {a['detail']}"
        for a in trial["assertions"]
        if not a["holds"]
    ]
    return found if trial["error"] is None else [*found, trial["error"]]


_WATCHED = ("etc", "usr/libexec", "var/lib/drctl")
_OF_A_LAB = re.compile(r"drctl|keepalived|/alternatives/(?:ip6?|arp)tables|^/etc/hostname$")
"""Files that hosts of a lab get besides those that are generated for them."""


def machine_files(root: Path = Path("/")) -> dict[str, str]:
    """Mode, owner, link or content of every file in the folders that installers write to, by the
    path on the machine that `root` is."""
    found = {}
    for path in (path for folder in _WATCHED for path in (root / folder).rglob("*")):
        try:
            status = path.lstat()
            if path.is_symlink():
                content = os.fsdecode(path.readlink())
            elif path.is_file():
                content = hashlib.sha256(path.read_bytes()).hexdigest()
            else:
                content = ""
        except FileNotFoundError:
            continue  # somebody else took it away meanwhile
        owner = f"{status.st_uid}:{status.st_gid}"
        found[f"/{path.relative_to(root)}"] = f"{status.st_mode:o} {owner} {content}"
    return found


def changed_by_a_lab(before: dict[str, str], kept: Path, root: Path = Path("/")) -> list[str]:
    """Files that are not what they were and that a lab has to do with: `kept` is its folder with
    METHOD/HOST/PATH. Whoever else works on the machine may change others meanwhile."""
    generated = {
        "/" + "/".join(path.relative_to(kept).parts[2:])
        for path in kept.rglob("*")
        if len(path.relative_to(kept).parts) > 3
    }
    now = machine_files(root)
    changed = {path for path in before.keys() | now.keys() if before.get(path) != now.get(path)}
    return sorted(p for p in changed if p in generated or _OF_A_LAB.search(p))


def processes_that_name(text: str) -> list[str]:
    """Command lines of running processes that contain the text."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (
                    (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                )
            except OSError:
                continue  # it has ended meanwhile
            if text in line:
                found.append(line)
    return found
