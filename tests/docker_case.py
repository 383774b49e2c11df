"""A docker daemon of our own, and what compose/ is built from where no image can be pulled.

The daemon runs in a network, a mount and a PID namespace that end with it, so that nothing of it
can be left, and this machine's own daemon and interfaces are not touched.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpus import PROJECT
from netns_case import wait_until

from drctl.lab.pair.client import Request, longest_outage_ms
from tools import need, need_root, refuse

CACHE = PROJECT / ".venv" / "containers"
PACKAGES = ("iproute2", "iputils-ping", "nftables", "python3", "python3-venv")
PARTS = (".dockerignore", "README.md", "pyproject.toml")
FOLDERS = ("compose", "drctl", "examples", "grammar", "templates")
BASE = "drctl-base:local"
START_S, END_S = 60, 30
NAMES = ("lb1", "lb2")


def pass_time(seconds: float) -> None:
    """Real time is what is measured here."""
    wait_until(time.monotonic() + seconds)


def run(*command: str, is_both: bool = False) -> str:
    """What it said; that is in the message when it fails."""
    both = subprocess.STDOUT if is_both else subprocess.PIPE
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=both, text=True, check=False)
    said = f"{done.stdout[-2000:]}{(done.stderr or '')[-2000:]}"
    assert done.returncode == 0, f"{' '.join(command)}: {said}"
    return done.stdout


# what the image is built from


def base_archive() -> Path:
    """A root of this machine's Debian with Python, made once. Its mounts are in a namespace of
    their own: debootstrap leaves /proc mounted, which would get into the archive."""
    debootstrap = need("debootstrap", "debootstrap")
    release = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    archive = CACHE / f"base-{release}.tar"
    if archive.exists():
        return archive
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="drctl-base-") as folder:
        root, made = Path(folder, "root"), Path(folder, "base.tar")
        script = (
            f'"{debootstrap}" --variant=minbase --include={",".join(PACKAGES)} {release} "{root}" '
            f'&& rm -rf "{root}"/var/cache/apt "{root}"/var/lib/apt/lists '
            f'&& tar --one-file-system --exclude="./proc/*" -C "{root}" -cf "{made}" .'
        )
        run("unshare", "--mount", "sh", "-c", script)
        shutil.move(made, archive.with_suffix(".new"))
    archive.with_suffix(".new").rename(archive)
    return archive


def build_context(folder: Path) -> Path:
    """The parts of the checkout that the image is made from, and wheels: the build has no
    network."""
    for part in PARTS:
        shutil.copy(PROJECT / part, folder)
    for name in FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__", "wheels")
        shutil.copytree(PROJECT / name, folder / name, ignore=ignored)
    wheels = str(folder / "compose" / "wheels")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet")
    run(*pip, str(folder), "--wheel-dir", wheels)
    return folder


def compose_command() -> str:
    """`docker compose`, or the older docker-compose."""
    docker = need("docker", "docker.io")
    asked = subprocess.run([docker, "compose", "version"], capture_output=True, check=False)
    if asked.returncode == 0:
        return f"{docker} compose"
    return need("docker-compose", "docker-compose")


# the daemon


@contextmanager
def daemon() -> Iterator[str]:
    """Address of a docker daemon that has our base image; nothing is left of it afterwards."""
    need_root()
    for tool, package in (("dockerd", "docker.io"), ("ip", "iproute2"), ("nft", "nftables")):
        need(tool, package)
    need("iptables", "iptables")
    archive = base_archive()
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="drctl-docker-"))
        stack.callback(shutil.rmtree, folder)
        namespace = folder.name
        run("ip", "netns", "add", namespace)
        stack.callback(run, "ip", "netns", "delete", namespace)
        run("ip", "-n", namespace, "link", "set", "lo", "up")
        # `ip netns exec` would hide the control groups
        enter = ["nsenter", f"--net=/run/netns/{namespace}"]
        own = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        address = f"unix://{folder}/socket"
        places = ["--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec"]
        places += ["--pidfile", f"{folder}/pid", "-H", address]
        places += ["--cgroup-parent", f"/{namespace}"]
        stack.callback(_remove_groups, namespace)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [*enter, *own, "dockerd", *places], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        stack.callback(_end, process)
        _await_start(process, folder, address)
        run("docker", "-H", address, "import", str(archive), BASE)
        yield address


def _await_start(process: subprocess.Popen[bytes], folder: Path, address: str) -> None:
    limit = time.monotonic() + START_S
    command = ["docker", "-H", address, "version"]
    while subprocess.run(command, capture_output=True, check=False).returncode != 0:
        if process.poll() is not None or time.monotonic() > limit:
            said = (folder / "log").read_text(encoding="utf-8", errors="replace")[-1500:]
            refuse(f"dockerd does not start here: {said}")
        pass_time(0.2)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask dockerd itself, which is the only child; with its parent the whole namespace ends."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    try:
        for pid in children.read_text(encoding="ascii").split():
            os.kill(int(pid), signal.SIGTERM)
        process.wait(END_S)
    except (FileNotFoundError, ProcessLookupError):
        pass  # it has ended by itself
    except subprocess.TimeoutExpired:
        process.kill()
    process.wait()


def _remove_groups(name: str) -> None:
    """The control groups of our containers, which are empty: of both versions."""
    mounted = Path("/sys/fs/cgroup")
    for top in [*mounted.glob(name), *mounted.glob(f"*/{name}")]:
        below = [Path(folder) for folder, _, _ in os.walk(top, topdown=False)]
        for folder in below:
            folder.rmdir()


# the project that runs


@dataclass(frozen=True)
class Seen:
    """What the client saw in a while."""

    outage_ms: float
    twice: int
    holders: tuple[str, ...]
    asked: int


@dataclass(frozen=True)
class Project:
    """compose/, up. `journal` is written by the client's who.py."""

    address: str
    name: str
    journal: Path

    def docker(self, *words: str) -> str:
        return run("docker", "-H", self.address, *words)

    def container(self, service: str) -> str:
        """Its name; the two composes have another way of making it."""
        labels = {"project": self.name, "service": service}
        chosen = [
            f"--filter=label=com.docker.compose.{key}={value}" for key, value in labels.items()
        ]
        return self.docker("ps", "--all", *chosen, "--format", "{{.Names}}").strip()

    def inside(self, service: str, *command: str) -> str:
        return self.docker("exec", self.container(service), *command)

    def network(self, name: str) -> str:
        return f"{self.name}_{name}"

    def status(self, director: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.inside(director, "drctl", "status", "--json"))
        return found

    def role(self, director: str) -> str:
        """ "" while it does not run, or does not answer."""
        command = ["docker", "-H", self.address, "exec", self.container(director)]
        command += ["drctl", "status", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return str(json.loads(done.stdout)["groups"][0]["role"]) if done.returncode == 0 else ""

    def logs(self) -> str:
        """Of the directors, for the message of a failure."""
        told = {name: self._log(name) for name in NAMES}
        last = [(each.asked_ms, each.holders) for each in self.requests(now_ms() - 1000)[-3:]]
        return "\n".join([*(f"--- {name}\n{text}" for name, text in told.items()), str(last)])

    def _log(self, name: str) -> str:
        words = ["docker", "-H", self.address, "logs", "--tail", "40", self.container(name)]
        return run(*words, is_both=True)

    def requests(self, since_ms: float) -> list[Request]:
        """What the client asked since then, as far as it is settled."""
        text = self.journal.read_text(encoding="utf-8")
        entries = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
        return [Request(each["at"], each["by"]) for each in entries if each["at"] >= since_ms]

    def seen(self, since_ms: float, for_s: float) -> Seen:
        """What the client saw from then until so long after now, and a little before: it begins
        with an answer."""
        until_ms = now_ms() + for_s * 1000
        limit = time.monotonic() + for_s + 20
        while not self.requests(until_ms):
            assert time.monotonic() < limit, "the client does not ask any more"
            pass_time(0.05)
        found = [each for each in self.requests(since_ms - 100) if each.asked_ms <= until_ms]
        holders: list[str] = []
        for request in found:
            holders += [each for each in request.holders if holders[-1:] != [each]]
        outage_ms = longest_outage_ms(found, frozenset(NAMES))
        twice = sum(len(set(each.holders)) > 1 for each in found)
        return Seen(outage_ms, twice, tuple(holders), len(found))

    def settle(self) -> tuple[str, str]:
        """Who is active and who stands by, once they hear each other over both links."""
        limit = time.monotonic() + 30
        while time.monotonic() < limit:
            roles = {self.role(name): name for name in NAMES}
            if roles.keys() == {"active", "standby"} and self._all_links_up():
                last = self.requests(now_ms() - 1000)[-1:]
                if last and last[0].holders == [roles["active"]]:
                    return roles["active"], roles["standby"]
            pass_time(0.2)
        raise AssertionError(f"they do not settle\n{self.logs()}")

    def _all_links_up(self) -> bool:
        return all(all(self.links(name).values()) for name in NAMES)

    def links(self, director: str) -> dict[str, bool]:
        """Whether each link is up, by the director's own address."""
        peers = self.status(director)["peers"]
        return {link["local"]: link["up"] for peer in peers for link in peer["links"]}


def now_ms() -> float:
    """The clock of who.py: one kernel, one CLOCK_MONOTONIC."""
    return time.monotonic() * 1000
