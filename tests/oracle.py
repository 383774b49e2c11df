"""Asks the real keepalived for its verdict on a configuration, in a world made for the question.

`keepalived -t` judges a file against the machine it runs on: an interface or a script that is
absent is an error and hides later ones. So each text is judged in network, mount, UTS, IPC and PID
namespaces of its own, on an overlay over this machine's root that vanishes afterwards, and what
the text names is made there: interfaces (bridges), namespaces, scripts, users. keepalived is
process 1 of a PID namespace, since 2.2.7 kills itself otherwise when -t checks a script of another
user than root.

Exit codes of 2.2.7: 0 nothing to say, 2 fatal while reading, 4 cannot run, 5 errors it works
around, 6 scripts without enable_script_security (hides 5); negative: killed by that signal.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONF_DIR = "/etc/keepalived"
EMPTY_DIRS = ("/tmp", "/run", "/root", "/home", "/srv", "/opt", CONF_DIR)
BIN_DIRS = ("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin")
SEARCH_PATH = ":".join(reversed(BIN_DIRS))
TIMEOUT_S = 60
ROUNDS = 40
"""How often keepalived is asked again after an interface that it missed was made."""

_MISSING = [
    re.compile(pattern)
    for pattern in (
        r"interface (\S+) for .* doesn't exist$",
        r"tracked interface (\S+) doesn't exist$",
        r"VRF interface (\S+) doesn't exist$",
        r"interface (\S+) specified for garp_group doesn't exist$",
        r"unknown interface (\S+) specified for ",
        r"Static address \S+ requires either an interface or (default interface) must exist$",
    )
]
_LOCATION = re.compile(r"^\((?:\S.*: )?Line (\d+)\) ")
_SCRIPT_KEYWORDS = (
    *("script", "notify", "notify_master", "notify_backup", "notify_fault", "notify_stop"),
    *("notify_deleted", "notify_master_rx_lower_pri", "notify_up", "notify_down"),
    *("quorum_up", "quorum_down", "misc_path", "startup_script", "shutdown_script"),
    *("notify_fifo_script", "vrrp_notify_fifo_script", "lvs_notify_fifo_script"),
)
_INTERFACE_KEYWORDS = (
    *("interface", "dev", "oif", "iif", "default_interface"),
    *("lvs_sync_daemon", "lvs_sync_daemon_interface"),
)
_INTERFACE_BLOCKS = (
    *("track_interface", "interfaces", "linkbeat_interfaces", "interface_up_down_delays"),
)
_NAMES = {
    "scripts": r"[\w./+@%:,-]+",
    "users": r"[A-Za-z_][\w.-]*",
    "netns": r"[\w.-]+",
    "interfaces": r"[^$<>{}\"]+",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The exit code, a signal negative, None after TIMEOUT_S; and what was said, each once, the
    place `(FILE: Line N)` left out. `located` are messages with a place, and its line."""

    exit: int | None
    messages: tuple[str, ...]
    located: tuple[tuple[int, str], ...] = ()


def verdict(
    text: str | bytes, name: str = "keepalived.conf", program: str | None = None
) -> Verdict:
    """keepalived's verdict on `text`; `program` is its path."""
    raw = text.encode() if isinstance(text, str) else text
    found = program or shutil.which("keepalived", path=SEARCH_PATH)
    assert found is not None, "the caller has asked whether keepalived is installed"
    with tempfile.TemporaryDirectory(prefix="oracle-") as base:
        job = {
            "base": base,
            "name": name,
            "text": raw.decode("latin-1"),
            "keepalived": os.path.realpath(found),
        }
        answer = subprocess.run(
            [
                *("unshare", "--net", "--mount", "--uts", "--ipc", "--pid", "--fork"),
                *("--kill-child", "--mount-proc", "--propagation", "private"),
                *(sys.executable, "-I", str(Path(__file__).resolve()), "--inner"),
            ],
            input=json.dumps(job).encode(),
            capture_output=True,
            check=False,
        )
    if answer.returncode != 0:
        raise RuntimeError(f"no world to ask in: {answer.stderr.decode(errors='replace').strip()}")
    result = json.loads(answer.stdout)
    messages = dict.fromkeys(without_place(line) for line in result["lines"])
    placed = ((_LOCATION.match(line), without_place(line)) for line in result["lines"])
    located = dict.fromkeys((int(found[1]), text) for found, text in placed if found)
    return Verdict(result["exit"], tuple(messages), tuple(located))


def without_place(message: str) -> str:
    """A message of keepalived without the file and line before it."""
    return _LOCATION.sub("", message)


def kinds(messages: tuple[str, ...]) -> frozenset[str]:
    """Messages without the words and numbers of the file they speak of."""
    plain = (re.sub(r"'[^']*'|\([^)]*\)|\S*\d\S*", "*", message) for message in messages)
    return frozenset(re.sub(r"\s+", " ", text) for text in plain)


# What a configuration asks to exist: a rough reading that only decides what to make.


def things_named(text: str) -> tuple[dict[str, list[str]], set[str]]:
    """Names by kind, and the interfaces that keepalived is to create itself."""
    named: dict[str, list[str]] = {kind: [] for kind in _NAMES}
    own, block = {"lo"}, ""
    definitions = {"_PWD": CONF_DIR, "_INSTANCE": "oracle", "_HASH": "#", "_BANG": "!"}
    for line in re.split(r"\r\n|\n|\r", text):
        line = re.sub(r'^((?:[^"#!]|"[^"]*")*)[#!].*', r"\1", line).strip()
        if found := re.match(r"@(\^?)(\S*)\s+(.*)", line):
            if (found[2] == "oracle") == bool(found[1]):
                continue
            line = found[3]
        if found := re.match(r"\$(\w+)\s*=\s*(.*)", line):
            definitions[found[1]] = found[2].strip().strip('"')
            continue
        line = _substitute(line, definitions)
        words = re.findall(r'"[^"]*"?|[{}]|[^\s{}"]+', line)
        for index, word in enumerate(words):
            if word == "{":
                block = words[0] if index else block
            elif word == "}":
                block = ""
            else:
                _note_word(line, words, index, block, (named, own))
    unique = {
        kind: [name for name in dict.fromkeys(names) if re.fullmatch(_NAMES[kind], name)]
        for kind, names in named.items()
    }
    return unique, own


def _note_word(
    line: str,
    words: list[str],
    index: int,
    block: str,
    found: tuple[dict[str, list[str]], set[str]],
) -> None:
    named, own = found
    word = words[index]
    after = words[index + 1] if index + 1 < len(words) else ""
    is_first = index == 0 or words[index - 1] == "{"
    if word in _SCRIPT_KEYWORDS and is_first:
        script, rest = _script_of(line[line.index(word) + len(word) :])
        if script:
            named["scripts"].append(script)
        if word.startswith("notify"):
            named["users"] += rest[:2]
    elif word in {"user", "script_user"} and is_first:
        named["users"] += words[index + 1 : index + 3]
    elif word == "enable_script_security":
        named["users"].append("keepalived_script")
    elif word in {"use_vmac", "use_ipvlan"}:
        own.update((after, "vrrp."))
    elif word in {"net_namespace", "net_namespace_ipvs"}:
        named["netns"].append(after)
    elif word in _INTERFACE_KEYWORDS and after not in {"", "{", "}"}:
        named["interfaces"].append(after)
    elif block in _INTERFACE_BLOCKS and word != block and is_first:
        named["interfaces"].append(word)


def _substitute(text: str, definitions: dict[str, str]) -> str:
    for _ in range(8):
        new = re.sub(
            r"\$(?:\{(\w+)\}|(\w+))",
            lambda found: definitions.get(found[1] or found[2], found[0]),
            text,
        )
        if new == text:
            break
        text = new
    return text


def _script_of(text: str) -> tuple[str | None, list[str]]:
    """The program of a script line's value, and the words behind the value."""
    found = re.match(r'\s*(?:"((?:[^"\\]|\\.)*)"?|(\S+))(.*)', text)
    if not found:
        return None, []
    value = found[2] if found[1] is None else found[1]
    word = re.match(r"""\s*(?:\\?"([^"\\]+)|'([^']+)'|(\S+))""", value)
    return (word[1] or word[2] or word[3] if word else None), found[3].split()


# In the world.


def _inner() -> None:
    job = json.load(sys.stdin)
    raw = job["text"].encode("latin-1")
    build_world(job, raw)
    json.dump(_ask(job, raw.decode("utf-8", "surrogateescape")), sys.stdout)


def _run(*words: str, is_needed: bool = True) -> bool:
    done = subprocess.run(words, check=False, capture_output=True)
    if is_needed and done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.decode(errors='replace').strip()}")
    return done.returncode == 0


def build_world(job: dict[str, Any], raw: bytes) -> None:
    """Enter a root of one's own below `job["base"]`, with the text as `job["name"]`."""
    base = Path(job["base"])
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(base))
    upper, work, root = (base / name for name in ("upper", "work", "root"))
    for folder in (upper, work, root):
        folder.mkdir()
    options = f"lowerdir=/,upperdir={upper},workdir={work}"
    _run("mount", "-t", "overlay", "-o", options, "overlay", str(root))
    for name in ("/proc", "/dev"):
        _run("mount", "--rbind", name, f"{root}{name}")
    _run("mount", "-t", "sysfs", "sysfs", f"{root}/sys", is_needed=False)
    Path(f"{root}{CONF_DIR}").mkdir(parents=True, exist_ok=True)
    for name in EMPTY_DIRS:
        folder = Path(f"{root}{name}")
        if folder.is_dir() and not folder.is_symlink():
            _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(folder))
    files = {
        f"{CONF_DIR}/{job['name']}": raw,
        "/etc/hosts": b"127.0.0.1 localhost oracle\n::1 localhost\n",
        "/etc/nsswitch.conf": b"passwd: files\ngroup: files\nhosts: files\nservices: files\n",
        "/etc/resolv.conf": b"",
    }
    for name, content in files.items():
        path = Path(f"{root}{name}")
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        path.chmod(0o644)
    os.chroot(root)
    os.chdir(CONF_DIR)
    socket.sethostname("oracle")
    _run("ip", "link", "set", "lo", "up", is_needed=False)


def _ask(job: dict[str, Any], text: str) -> dict[str, Any]:
    words = [
        *("unshare", "--pid", "--fork", "--kill-child", "--mount-proc"),
        *(job["keepalived"], "-t", "-f", f"{CONF_DIR}/{job['name']}"),
    ]
    named, own = things_named(text)
    for name in named["interfaces"]:
        _add_interface(name, own)
    for name in named["netns"]:
        add_netns(name)
    for name in named["scripts"]:
        add_script(name)
    for name in named["users"]:
        add_user(name)
    environment = {"PATH": SEARCH_PATH, "LC_ALL": "C", "HOME": "/"}
    exit_code: int | None = None
    lines: list[str] = []
    for _ in range(ROUNDS):
        try:
            done = subprocess.run(
                words,
                check=False,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=TIMEOUT_S,
            )
        except subprocess.TimeoutExpired as late:
            return {"exit": None, "lines": _lines(late.stdout or b"")}
        exit_code, lines = done.returncode, _lines(done.stdout)
        missing = {m for line in lines if (m := missing_interface(line))}
        if sum(_add_interface(m, own) for m in missing) == 0:
            break
    return {"exit": exit_code, "lines": lines}


def _lines(output: bytes) -> list[str]:
    return output.decode("utf-8", "backslashreplace").rstrip("\n").split("\n") if output else []


def missing_interface(line: str) -> str | None:
    """The interface that a line of keepalived says is absent."""
    said = _LOCATION.sub("", line)
    for pattern in _MISSING:
        if found := pattern.search(said):
            return "eth0" if found[1] == "default interface" else found[1]
    return None


def _add_interface(name: str, own: set[str]) -> bool:
    is_own = name in own or ("vrrp." in own and re.fullmatch(r"vrrp6?\.\d+", name))
    is_possible = 0 < len(os.fsencode(name)) < 16 and not re.search(r"[\s/:]", name)
    if is_own or not is_possible or name in {".", ".."} or Path(f"/sys/class/net/{name}").exists():
        return False
    if not _run("ip", "link", "add", "name", name, "type", "bridge", is_needed=False):
        return False
    return _run("ip", "link", "set", "dev", name, "up", is_needed=False)


def add_netns(name: str) -> None:
    """Give the world's own network namespace a name."""
    path = Path("/run/netns") / name
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    _run("mount", "--bind", "/proc/self/ns/net", str(path))


def add_script(name: str) -> None:
    """A program of this name or path that succeeds, if there is none."""
    is_bare = "/" not in name
    if is_bare and shutil.which(name, path=SEARCH_PATH):
        return
    path = Path(os.path.normpath(Path("/usr/local/bin" if is_bare else CONF_DIR) / name))
    if path.exists() or not path.name:
        return
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.write_bytes(b"#!/bin/sh\nexit 0\n")
        path.chmod(0o755)
    except OSError as refused:
        # a path below a file, or a name that is too long: keepalived will say that it is absent
        print(f"{name}: {refused}", file=sys.stderr)


def add_user(name: str) -> None:
    """A user and a group of this name, as far as they are absent."""
    for file, row in (("passwd", "{0}:x:{1}:{1}::/:/bin/false\n"), ("group", "{0}:x:{1}:\n")):
        path = Path("/etc") / file
        rows = [line.split(":") for line in path.read_text("utf-8").splitlines()]
        if any(cells[0] == name for cells in rows):
            continue
        taken = {cells[2] for cells in rows if len(cells) > 2}
        number = next(n for n in range(60000, 64000) if str(n) not in taken)
        with path.open("a", encoding="utf-8") as file_:
            file_.write(row.format(name, number))


if __name__ == "__main__" and sys.argv[1:] == ["--inner"]:
    _inner()
