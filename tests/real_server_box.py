"""A throw-away machine: its own network, and its own root as an overlay of this one's.

Nothing it does reaches the machine that runs the tests; it is gone when its holder ends.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from drctl.render.rendered import RenderedFile, Rendering

FOLDER = "/srv/host"
"""Where a rendering lies in the box."""

_SETUP = """\
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
mkdir -p "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount -t proc proc "$1/root/proc"
mount -t sysfs sysfs "$1/root/sys"
mount --rbind /dev "$1/root/dev"
mount -t tmpfs tmpfs "$1/root/run"
mount -t tmpfs tmpfs "$1/root/srv"
rm -rf "$1/root/var/lib/drctl"
ip link set lo up
echo ready
exec cat
"""
_WATCHED = ("/etc", "/usr/libexec", "/usr/sbin", "/var/lib")


class Box:
    """Use as a context manager; `base` is an empty folder."""

    def __init__(self, base: Path) -> None:
        self._base = base
        command = ["unshare", "-m", "-n", "sh", "-c", _SETUP, "sh", str(base)]
        self._holder = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "ready\n", "the box did not come up"
        self.pid = self._holder.pid

    def __enter__(self) -> Box:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._holder.stdin is not None
        self._holder.stdin.close()
        self._holder.wait()
        assert self._holder.stdout is not None
        self._holder.stdout.close()

    def command(self, *words: str) -> list[str]:
        """The command line that runs `words` in the box."""
        enter = ["nsenter", "-t", str(self.pid), "-m", "-n"]
        return [*enter, "chroot", str(self._base / "root"), *words]

    def run(
        self, *words: str, stdin: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the box as root."""
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
        done = subprocess.run(
            self.command(*words),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env=env,
        )
        if check:
            assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command in the box; its output can be read."""
        return subprocess.Popen(self.command(*words), stdout=subprocess.PIPE, text=True)

    def out(self, *words: str) -> str:
        """Standard output of a command that must succeed."""
        return self.run(*words).stdout

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """A file in the box."""
        script = 'mkdir -p "$(dirname "$1")"; cat >"$1"; chmod "$2" "$1"'
        self.run("sh", "-c", script, "sh", path, f"{mode:o}", stdin=text)

    def read(self, path: str) -> str:
        """Text of a file in the box."""
        return self.out("cat", path)

    def deliver(self, rendering: Rendering, folder: str = FOLDER) -> None:
        """Put a host's folder into the box as `drctl convert` writes it."""
        self.write_all(rendering.files, folder)
        self.write_all(rendering.installers, f"{folder}/")

    def write_all(self, files: Iterable[RenderedFile], folder: str = "") -> None:
        """Files in the box below the folder, by one program: starting one for each takes longer
        than most tests."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for file in files:
                content = file.text.encode()
                entry = tarfile.TarInfo(f"{folder}{file.path}".lstrip("/"))
                entry.size, entry.mode, entry.mtime = len(content), file.mode, int(time.time())
                archive.addfile(entry, io.BytesIO(content))
        command = self.command("tar", "-C", "/", "--same-permissions", "-xf", "-")
        subprocess.run(command, input=packed.getvalue(), check=True)

    def tree(self) -> list[str]:
        """What is in the watched folders: names, kinds, modes, links, and the content of every
        file that the box has of its own."""
        names = self.out("find", *_WATCHED, "-printf", "%p %y %m %l\\n").splitlines()
        upper = self._base / "upper"
        listed = subprocess.run(
            [
                "nsenter",
                "-t",
                str(self.pid),
                "-m",
                "sh",
                "-c",
                'cd "$1" && find . -type f -exec md5sum {} +',
                "sh",
                str(upper),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        return sorted([*names, *listed.stdout.splitlines()])


class Segment:
    """An Ethernet segment with a client (192.0.2.99, 2001:db8::99) and boxes on it."""

    def __init__(self) -> None:
        self._holders = [
            subprocess.Popen(
                ["unshare", "-n", "sh", "-c", "echo ready; exec cat"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        for holder in self._holders:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "ready\n"
        self._bridge, self._client = (holder.pid for holder in self._holders)
        self._in(self._bridge, "ip", "link", "add", "br0", "type", "bridge")
        self._in(self._bridge, "ip", "link", "set", "br0", "up")
        self._join(self._client, "c0", "192.0.2.99/24", "2001:db8::99/64")

    def __enter__(self) -> Segment:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for holder in self._holders:
            assert holder.stdin is not None
            assert holder.stdout is not None
            holder.stdin.close()
            holder.wait()
            holder.stdout.close()

    def join(self, box: Box, *addresses: str) -> str:
        """Give the box a card eth0 on the segment; the card's MAC."""
        self._join(box.pid, "eth0", *addresses)
        return box.out("cat", "/sys/class/net/eth0/address").strip()

    def client(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command on the client."""
        return self._in(self._client, *words, check=check)

    def watch(self, *words: str) -> subprocess.Popen[str]:
        """Start our probe program on the client; it says `ready` first."""
        program = str(Path(__file__).with_name("real_server_probe.py"))
        watcher = subprocess.Popen(
            [*_enter(self._client), sys.executable, program, "c0", *words],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert watcher.stdout is not None
        assert watcher.stdout.readline() == "ready\n"
        return watcher

    def who_has(self, address: str) -> list[str]:
        """MACs that answer for an address."""
        answers, _ = self.watch("who-has", address).communicate()
        return answers.split()

    def _join(self, pid: int, card: str, *addresses: str) -> None:
        port = f"p{pid}"
        veth = ["ip", "link", "add", port, "type", "veth", "peer", "name", card]
        self._in(self._bridge, *veth, "netns", str(pid))
        self._in(self._bridge, "ip", "link", "set", port, "master", "br0", "up")
        for address in addresses:
            nodad = ["nodad"] if ":" in address else []
            self._in(pid, "ip", "addr", "add", address, "dev", card, *nodad)
        self._in(pid, "ip", "link", "set", card, "up")

    def _in(self, pid: int, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*_enter(pid), *words], capture_output=True, text=True, check=check)


def _enter(pid: int) -> list[str]:
    return ["nsenter", "-t", str(pid), "-n"]
