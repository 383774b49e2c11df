"""Runs in a guest kernel that has IPVS: starts keepalived with one configuration after another and
hands out the dumps of what it understood.

    meaning_guest.py PLAN --init    the guest's first process

All configurations share one world as `oracle.py` makes it; each has namespaces of its own in it,
an empty /etc/keepalived, and cards that carry VRRP (veth) and an address of each family.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parent
sys.path[:0] = [str(HOME.parent), str(HOME.parent.parent)]

import oracle  # noqa: E402

from drctl.lab.guest.events import emit  # noqa: E402
from drctl.lab.guest.machine import BASE, power_off, prepare  # noqa: E402
from drctl.lab.guest.shell import mount, run  # noqa: E402

MODULES = ("ipv6", "macvlan", "ipvlan")
START_LIMIT_S = 25
DUMP_LIMIT_S = 15
END_LIMIT_S = 10
JOB_LIMIT_S = 90
ROUNDS = 12
"""How often keepalived is started again after an interface that it missed was made."""
STEP_S = 0.01
DUMPS = Path("/tmp/dump")
ROOTS_NAMES = ("root", "keepalived_script")
"""The user that scripts run as unless set is root here: 2.2.7 finds no program by its bare name for
another user, and drops scripts when it is to be strict and there is no such user."""
ACCOUNTS = (Path("/etc/passwd"), Path("/etc/group"))
NEW_MOUNTS, NEW_PIDS, NEW_NET = 0x20000, 0x20000000, 0x40000000
TRACKED_FOLDER = re.compile(r"^\s*file\s+\"?(/[^\s\"]*)/", re.MULTILINE)
SECTION = re.compile(r"^------< (.*) >------$", re.MULTILINE)
LEFT_OUT = ("Interfaces", "VRRP Sockpool", "Gratuitous ARP delays")
STAMP = re.compile(r"^\w{3} \w{3} +\d+ [\d:]+ \d{4}: ", re.MULTILINE)
KINDS = {"vrrp": "keepalived.", "check": "keepalived_check."}


def main(plan: str) -> None:
    """Serve the jobs of the plan in a child, since a root of the first process is the kernel's."""
    jobs = json.loads(Path(plan).read_text(encoding="utf-8"))
    try:
        os.environ["PATH"] = oracle.SEARCH_PATH
        prepare(is_init=True)
        run("/run/drctl-lab/modprobe", "-a", *MODULES)
        emit("booted")
        child = os.fork()
        if child == 0:
            serve(jobs)
        os.waitpid(child, 0)
    except Exception:  # noqa: BLE001 - the last place that can tell the machine outside
        emit("error", message=traceback.format_exc())
    emit("done")
    power_off()


def serve(jobs: list[dict[str, Any]]) -> None:
    """Each job in turn; an event `dumped` for each. Does not return."""
    try:
        base = BASE / "world"
        base.mkdir()
        oracle.build_world({"base": str(base), "name": "none.conf"}, b"")
        for path, row in zip(ACCOUNTS, ("x:0:0::/:/bin/false", "x:0:"), strict=True):
            with path.open("a", encoding="utf-8") as file:
                file.write(f"{ROOTS_NAMES[1]}:{row}\n")
        accounts = {path: path.read_bytes() for path in ACCOUNTS}
        for number, job in enumerate(jobs):
            for path, raw in accounts.items():
                path.write_bytes(raw)  # without the users of the job before
            result = Path(f"/result{number}")
            in_namespaces(job, result)
            found = {"refused": "it took too long"}
            if result.is_file():
                found = json.loads(result.read_text("utf-8"))
                result.unlink()
            emit("dumped", name=job["name"], **found)
    except Exception:  # noqa: BLE001 - the last place that can tell the machine outside
        emit("error", message=traceback.format_exc())
    os._exit(0)


def in_namespaces(job: dict[str, Any], result: Path) -> None:
    """Do a job in a child in namespaces of its own; all its processes end with it."""
    outer = os.fork()
    if outer:
        os.waitpid(outer, 0)
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(NEW_MOUNTS | NEW_PIDS | NEW_NET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    inner = os.fork()
    if inner:
        end = time.monotonic() + JOB_LIMIT_S
        while time.monotonic() < end and os.waitpid(inner, os.WNOHANG) == (0, 0):
            time.sleep(STEP_S)
        if time.monotonic() >= end:
            os.kill(inner, signal.SIGKILL)
        os._exit(0)
    try:
        found = dump(job)
    except Exception:  # noqa: BLE001 - the process ends here
        found = {"refused": traceback.format_exc()}
    part = result.with_suffix(".part")
    part.write_text(json.dumps(found), encoding="utf-8")
    part.rename(result)
    os._exit(0)


def dump(job: dict[str, Any]) -> dict[str, Any]:
    """`vrrp` and `check`: the dumps of the two processes; `log`: what keepalived said; `users` with
    user and group number, and `groups` with theirs."""
    for folder in (oracle.CONF_DIR, "/tmp", "/run"):
        mount("tmpfs", Path(folder), "mode=755")
    DUMPS.mkdir()
    oracle.add_netns("own")
    own = make_world({job["name"]: job["text"], **job["others"]})
    found: dict[str, Any] = {}
    for _ in range(ROUNDS):
        found, process = ask(job)
        missing = {m for line in found["log"].splitlines() if (m := oracle.missing_interface(line))}
        if sum(add_card(name, own) for name in missing) == 0:
            break  # it ends with its namespace, which is quicker than when it is asked to
        end(process)
    users, groups = (
        [row.split(":") for row in path.read_text("utf-8", "replace").splitlines()]
        for path in ACCOUNTS
    )
    found["users"] = {cells[0]: cells[2:4] for cells in users if len(cells) > 3}
    found["groups"] = {cells[0]: cells[2] for cells in groups if len(cells) > 2}
    return found


def make_world(texts: dict[str, str]) -> set[str]:
    """The files, and what they name; returns the interfaces that keepalived is to make."""
    own: set[str] = set()
    cards: list[str] = []
    for name, text in texts.items():
        path = Path(oracle.CONF_DIR) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("latin-1"))
        path.chmod(0o644)
        named, made = oracle.things_named(text.encode("latin-1").decode("utf-8", "surrogateescape"))
        own |= made
        cards += named["interfaces"]
        for thing in named["netns"]:
            oracle.add_netns(thing)
        for thing in named["scripts"]:
            oracle.add_script(thing)
        for thing in named["users"]:
            if thing not in ROOTS_NAMES:
                oracle.add_user(thing)
        for folder in TRACKED_FOLDER.findall(text):
            Path(folder).mkdir(parents=True, exist_ok=True)
    run("ip", "link", "set", "lo", "up")
    for card in cards:
        add_card(card, own)
    for family in ("ipv4", "ipv6"):
        # source addresses need not be on a card
        Path(f"/proc/sys/net/{family}/ip_nonlocal_bind").write_text("1", encoding="utf-8")
    return own


def add_card(name: str, own: set[str]) -> bool:
    """A card with a carrier and addresses, unless there is one, or keepalived makes it."""
    is_own = name in own or ("vrrp." in own and re.fullmatch(r"vrrp6?\.\d+", name))
    is_possible = 0 < len(os.fsencode(name)) < 16 and not re.search(r"[\s/:]", name)
    taken = [card for _, card in socket.if_nameindex()]
    if is_own or not is_possible or name in {".", ".."} or name in taken:
        return False
    number = len(taken)
    lines = (
        f"link add name {name} type veth peer name far{number}",
        f"link set dev {name} up",
        f"link set dev far{number} up",
        f"addr add 203.0.113.{number}/32 dev {name}",
        f"addr add 2001:db8:ffff::{number}/128 dev {name} nodad",
    )
    done = subprocess.run(
        ["ip", "-batch", "-"],
        input="".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"),
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


def ask(job: dict[str, Any]) -> tuple[dict[str, Any], subprocess.Popen[bytes]]:
    """Start keepalived, have it write its dumps."""
    log = Path("/tmp/log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *(job["keepalived"], "-n", "-l", "-G", "-d", "--all"),
                *("-f", f"{oracle.CONF_DIR}/{job['name']}"),
            ],
            env={"PATH": oracle.SEARCH_PATH, "LC_ALL": "C", "HOME": "/", "TMPDIR": str(DUMPS)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=oracle.CONF_DIR,
            start_new_session=True,
        )
    is_up = until(lambda: b"Startup complete" in log.read_bytes(), process, START_LIMIT_S)
    if is_up:
        process.send_signal(signal.SIGUSR1)
        until(lambda: len(dumps()) == len(KINDS), process, DUMP_LIMIT_S)
    texts = {kind: sections(path.read_bytes()) for kind, path in dumps().items()}
    for path in DUMPS.iterdir():
        path.unlink()
    said = STAMP.sub("", log.read_text("utf-8", "backslashreplace"))
    return {**texts, "log": said, "is_up": is_up}, process


def end(process: subprocess.Popen[bytes]) -> None:
    """End keepalived, whatever state it is in, so that it can be started again."""
    process.terminate()
    try:
        process.wait(END_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    os.kill(-1, signal.SIGKILL)  # what is left of it: all but this process in these namespaces
    for path in Path("/run").rglob("*.pid"):
        path.unlink()


def dumps() -> dict[str, Path]:
    """The files of the two processes that are there and written; an instance's name may stand in
    the middle of theirs."""
    found = {}
    for path in DUMPS.iterdir():
        for kind, start in KINDS.items():
            is_its = path.name.startswith(start) and path.name.endswith(".data")
            if is_its and is_closed(path):
                found[kind] = path
    return found


def is_closed(path: Path) -> bool:
    """Whether nobody writes to a file that is not empty: only then the kernel grants a lease."""
    with path.open("rb") as file:
        try:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except BlockingIOError:
            return False
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        return path.stat().st_size > 0


def sections(raw: bytes) -> str:
    """A dump without what only the machine says."""
    parts = SECTION.split(raw.decode("utf-8", "surrogateescape"))
    pairs = zip(parts[1::2], parts[2::2], strict=True)
    return "".join(f"------< {n} >------{text}" for n, text in pairs if n not in LEFT_OUT)


def until(condition: Callable[[], bool], process: subprocess.Popen[bytes], limit_s: float) -> bool:
    """Whether the condition came true before the process or the time ended."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if condition():
            return True
        if process.poll() is not None:
            return condition()
        time.sleep(STEP_S)
    return False


if __name__ == "__main__":
    main(sys.argv[1])
