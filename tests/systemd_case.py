"""A machine of namespaces whose first process is systemd, with this machine's files below a file
system in memory: units run there as they would after a boot, and nothing here changes."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from drctl.lab.pair.host import Host
from tools import need, need_root, refuse

SYSTEMD = "/lib/systemd/systemd"
BOOT_LIMIT_S = 60
COMMAND_LIMIT_S = 60
_CGROUPS = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"))
_BOOT = """\
set -eu
mount --make-rprivate /
mount -t tmpfs none {work}
mkdir {work}/files {work}/work {work}/root
mount -t overlay -o lowerdir=/,upperdir={work}/files,workdir={work}/work none {work}/root
cd {work}/root
rm -rf etc/systemd/system
mkdir -p etc/systemd/system etc/drctl var/log/journal
ln -sf /dev/null etc/tmpfiles.d/tmp.conf
: > etc/machine-id
ln -s /dev/null etc/systemd/system/systemd-sysctl.service
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount --bind proc/sys/net proc/sys/net
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 none sys/fs/cgroup
mount -t tmpfs -o mode=755 none dev
for name in null zero full random urandom tty; do
    touch dev/$name
    mount --bind /dev/$name dev/$name
done
mkdir dev/shm dev/pts
ln -s /proc/self/fd dev/fd
ln -s pts/ptmx dev/ptmx
mount -t devpts -o newinstance,ptmxmode=0666 none dev/pts
mount -t tmpfs none dev/shm
mount -t tmpfs -o mode=755 none run
mkdir -p run/systemd/system
printf '[Unit]\\nRequires=basic.target\\nAfter=basic.target\\n' > run/systemd/system/machine.target
mkdir run/before
pivot_root . run/before
cd /
umount -l /run/before
rmdir /run/before
exec env -i container=namespaces PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
    {systemd} --system --unit=machine.target --show-status=no
"""


@dataclass
class Machine:
    """A running one. `root` is its root folder as this process sees it."""

    host: Host
    pid: int

    @property
    def root(self) -> Path:
        return Path(f"/proc/{self.pid}/root")

    def attempt(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a program in it."""
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--net", "--uts", "--ipc"]
        enter += ["--cgroup", f"--root={self.root}", "--wd=/"]
        return subprocess.run(
            [*enter, *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_LIMIT_S,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_PAGER": "", "LC_ALL": "C.UTF-8"},
        )

    def run(self, *command: str) -> str:
        """Run a program in it that has to succeed; what it wrote."""
        done = self.attempt(*command)
        if done.returncode != 0:
            said = f"{done.stdout}{done.stderr}".strip()
            raise AssertionError(f"{' '.join(command)}: {said}\n{self.journal()}")
        return done.stdout

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", "--value", f"--property={name}", unit).strip()

    def journal(self) -> str:
        """The end of what all services wrote."""
        return self.attempt("journalctl", "--no-pager", "--output=short-monotonic", "-n200").stdout

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """A file of the machine."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)

    def read(self, path: str) -> str:
        """A file of the machine; "" when it is not there."""
        file = self.root / path.lstrip("/")
        return file.read_text("utf-8") if file.exists() else ""

    def addresses(self) -> set[str]:
        """Those of its eth0."""
        found = json.loads(self.host.ip("-json", "address", "show", "dev", "eth0"))
        return {one["local"] for link in found for one in link["addr_info"]}


@contextmanager
def machine(host: Host, folder: Path) -> Iterator[Machine]:
    """Booted in the namespace of the host; nothing of it is left afterwards."""
    need_root()
    for tool, package in (("unshare", "util-linux"), ("nsenter", "util-linux")):
        need(tool, package)
    if not Path(SYSTEMD).exists():
        refuse("systemd is missing: apt-get install systemd")
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        group = _control_group(stack)
        script = _BOOT.format(work=folder, systemd=SYSTEMD)
        join = f"echo $$ > {group}/cgroup.procs && exec"
        spaces = "unshare --mount --pid --fork --uts --ipc --cgroup --kill-child"
        # `ip netns exec` would hide the control groups
        enter = ["nsenter", f"--net=/run/netns/{host.namespace}"]
        command = [*enter, "sh", "-c", f'{join} {spaces} sh -c "$1"', "sh", script]
        log = stack.enter_context((folder.parent / f"{folder.name}.log").open("wb"))
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        stack.callback(_end, process, group)
        made = Machine(host, _first_process(process, folder))
        limit_s = time.monotonic() + BOOT_LIMIT_S
        while made.attempt("systemctl", "is-system-running").stdout.strip() != "running":
            if time.monotonic() > limit_s or process.poll() is not None:
                failed = made.attempt("systemctl", "--failed", "--no-legend").stdout
                refuse(f"systemd does not come up in namespaces: {failed}")
            time.sleep(0.1)
        yield made


def _control_group(stack: ExitStack) -> Path:
    base = next((each for each in _CGROUPS if (each / "cgroup.procs").exists()), None)
    if base is None:
        refuse("there is no cgroup2 file system")
    group = base / f"drctl-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as cause:
        refuse(f"no control group can be made: {cause}")
    stack.callback(_remove_groups, group)
    return group


def _first_process(process: subprocess.Popen[bytes], folder: Path) -> int:  # noqa: RET503
    """systemd's number here: it is the only child of `unshare`."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    limit_s = time.monotonic() + BOOT_LIMIT_S
    while process.poll() is None and time.monotonic() < limit_s:
        for word in children.read_text("ascii").split():
            with suppress(FileNotFoundError):
                if Path(f"/proc/{word}/comm").read_text("utf-8").strip() == "systemd":
                    return int(word)
        time.sleep(0.02)
    log = (folder.parent / f"{folder.name}.log").read_text("utf-8", "replace")
    refuse(f"no machine of namespaces can be made: {log.strip()}")


def _end(process: subprocess.Popen[bytes], group: Path) -> None:
    """All its processes die with the first one."""
    process.kill()
    process.wait(COMMAND_LIMIT_S)
    limit_s = time.monotonic() + COMMAND_LIMIT_S
    while any(file.read_text("ascii") for file in group.rglob("cgroup.procs")):
        assert time.monotonic() < limit_s, "processes of the machine do not end"
        time.sleep(0.02)


def _remove_groups(group: Path) -> None:
    for folder in sorted((each for each in group.rglob("*") if each.is_dir()), reverse=True):
        folder.rmdir()
    group.rmdir()
