"""Finds a running pulse or keepalived that may hold the same VIPs: two that do not know each other
would both answer for them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from drctl.errors import FileRefused

KEEPALIVED_CONF = "/etc/keepalived/keepalived.conf"
LVS_CF = "/etc/sysconfig/ha/lvs.cf"

# keepalived 2.2.7, core/main.c
_SHORT_WITH_VALUE = frozenset("fSuprcbAMsi")
_LONG = {
    "use-file": "f",
    "vrrp": "P",
    "check": "C",
    "all": "all",
    "config-test": "t",
    "config-id": "i",
    "help": "h",
    "version": "v",
    "signum": "signum",
    "genhash": "T",
}
_LONG_WITH_VALUE = frozenset(
    {
        "use-file",
        "log-facility",
        "umask",
        "pid",
        "vrrp_pid",
        "checkers_pid",
        "bfd_pid",
        "snmp-agent-socket",
        "namespace",
        "core-dump-pattern",
        "config-id",
        "signum",
    }
)
_NO_DAEMON = frozenset({"t", "v", "h", "T", "signum"})


@dataclass(frozen=True, slots=True)
class Rival:
    """A running program that moves VIPs: `program` is `keepalived` or `pulse`, `path` the
    configuration that it was started with, as its own root folder has it."""

    program: str
    pid: int
    path: str
    config_id: str | None = None

    def __str__(self) -> str:
        return f"{self.program} (process {self.pid}, {self.path})"


def find_rivals(proc: str = "/proc", own_namespace: str | None = None) -> list[Rival]:
    """The programs that run in this network namespace; of several processes of one program the
    parent alone. Whether their configurations name the same VIPs is the caller's to find out."""
    namespace = own_namespace
    if namespace is None:
        namespace = _link(f"{proc}/self/ns/net")
    found: dict[int, Rival] = {}
    parents: dict[int, int] = {}
    for pid in _pids(proc):
        process = _process(proc, pid)
        if process is None:
            continue
        name, parent, words = process
        if name not in {"keepalived", "pulse"}:
            continue
        there = _link(f"{proc}/{pid}/ns/net")
        if namespace and there and there != namespace:
            continue
        if not there and _is_elsewhere(proc, pid):
            continue
        rival = _keepalived(pid, words) if name == "keepalived" else _pulse(pid, words)
        if rival is not None:
            path = _rooted(proc, pid, rival.path)
            found[pid] = Rival(rival.program, pid, path, rival.config_id)
            parents[pid] = parent
    return [one for pid, one in sorted(found.items()) if parents[pid] not in found]


def _is_elsewhere(proc: str, pid: int) -> bool:
    """Whether a process whose namespaces are hidden from us (they are without CAP_SYS_PTRACE) is in
    another network: each has entries of its own in /proc, which everybody sees."""
    try:
        own, other = (os.stat(f"{proc}/{each}/net/dev").st_ino for each in ("self", pid))  # noqa: PTH116
    except OSError:
        return False
    return own != other


def _pids(proc: str) -> Iterator[int]:
    try:
        names = os.listdir(proc)  # noqa: PTH208 - thousands of names, no objects
    except OSError as refused:
        raise FileRefused("list the processes in", proc, refused) from refused
    yield from sorted(int(name) for name in names if name.isdecimal() and name.isascii())


def _process(proc: str, pid: int) -> tuple[str, int, list[str]] | None:
    """Name, parent and command line; None for one that has ended or has no command line (a kernel
    thread, a zombie)."""
    try:
        status = Path(f"{proc}/{pid}/status").read_bytes()
        raw = Path(f"{proc}/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    except OSError as refused:
        raise FileRefused("look at", f"{proc}/{pid}", refused) from refused
    words = [word.decode("utf-8", "surrogateescape") for word in raw.rstrip(b"\0").split(b"\0")]
    parent = re.search(rb"^PPid:\s*(\d+)", status, re.MULTILINE)
    state = re.search(rb"^State:\s*(\w)", status, re.MULTILINE)
    if not raw or parent is None or (state is not None and state[1] in b"ZX"):
        return None
    return words[0].rpartition("/")[2], int(parent[1]), words[1:]


def _pulse(pid: int, words: Sequence[str]) -> Rival:
    """pulse reads `-c FILE`, `--configfile FILE`."""
    path = LVS_CF
    for index, word in enumerate(words):
        if word in {"-c", "--configfile"} and index + 1 < len(words):
            path = words[index + 1]
        elif word.startswith("--configfile="):
            path = word.partition("=")[2]
        elif word.startswith("-c") and len(word) > 2:
            path = word[2:]
    return Rival("pulse", pid, path)


def _keepalived(pid: int, words: Sequence[str]) -> Rival | None:
    """None when VRRP does not run: `--check` without `--vrrp`, or a run that only tests."""
    options, values = _options(words)
    if options & _NO_DAEMON:
        return None
    if "C" in options and not options & {"P", "all"}:
        return None
    return Rival("keepalived", pid, values.get("f", KEEPALIVED_CONF), values.get("i"))


def _options(words: Sequence[str]) -> tuple[set[str], dict[str, str]]:
    """The letters of the options that were given, and the values, as getopt_long reads them."""
    options: set[str] = set()
    values: dict[str, str] = {}
    waiting = iter(words)
    for word in waiting:
        if word == "--":
            break
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            full = _completed(name)
            letter = _LONG.get(full, full)
            options.add(letter)
            if full in _LONG_WITH_VALUE:
                values[letter] = value if equals else next(waiting, "")
        elif word.startswith("-"):
            for index, letter in enumerate(word[1:], 2):
                options.add(letter)
                if letter in _SHORT_WITH_VALUE:
                    values[letter] = word[index:] or next(waiting, "")
                    break
                if letter == "t":
                    break
    return options, values


def _completed(name: str) -> str:
    """getopt_long takes any beginning of a name that is nobody else's."""
    if name in _LONG or name in _LONG_WITH_VALUE:
        return name
    close = {full for full in (*_LONG, *_LONG_WITH_VALUE) if full.startswith(name)}
    return close.pop() if len(close) == 1 else name


def _rooted(proc: str, pid: int, path: str) -> str:
    """The path as this process can open it: relative to the other's folder, in the other's root."""
    whole = path
    if not path.startswith("/"):
        folder = _link(f"{proc}/{pid}/cwd")
        whole = f"{folder}/{path}" if folder else path
    root = _link(f"{proc}/{pid}/root")
    return f"{root}{whole}" if root not in {"", "/"} else whole


def _link(path: str) -> str:
    """What a link in /proc names; empty for a process that has ended or is not ours to look at."""
    try:
        return os.readlink(path)  # noqa: PTH115 - the text itself, which is no path for `ns/net`
    except OSError:
        return ""
