"""Guests in which any program runs as on this machine: its files are there, below a file system in
memory, and what is written is gone with the guest.

A guest of `uml` or `qemu` has this machine's files read-only, which is all that trials of converted
files need; directors, and tests, write theirs.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from drctl.lab.guest.shell import SEARCH_PATH
from drctl.lab.qemu import Qemu
from drctl.lab.uml import MODULES, UserModeLinux

_TAG = "machine"
_QEMU_FILES = """\
mkdir -p /run/below
mount -t 9p -o ro,trans=virtio,version=9p2000.L,cache=loose,msize=524288 {tag} /run/below
# a lab loads no modules by itself
modprobe -a ip_vs ipip || echo "modprobe: no ip_vs, or no ipip"
below=/run/below
devices="mount --rbind /dev dev"
tables=nft
"""
_UML_FILES = """\
mount -t proc none /proc
mount -t sysfs none /sys
mount -t tmpfs none /run
mkdir -p /run/modules/lib/modules
ln -s {modules}/* /run/modules/lib/modules/
printf '#!/bin/sh\\nexec /sbin/modprobe -d /run/modules "$@"\\n' > /run/modprobe
chmod 755 /run/modprobe
echo /run/modprobe > /proc/sys/kernel/modprobe
/run/modprobe -a overlay af_packet bridge veth bonding 8021q macvlan sch_netem ip_vs ipip \
    arptable_filter arpt_mangle
below=/
devices="mount -t devtmpfs none dev"
tables=legacy
"""
_ROOT = """\
#!/bin/sh
# this machine's files once more, below a file system in memory
set -e
export PATH={path} HOME=/root LC_ALL=C.UTF-8
{files}
mkdir /run/above
mount -t tmpfs none /run/above
mkdir /run/above/files /run/above/work /run/above/root
over=lowerdir=$below,upperdir=/run/above/files,workdir=/run/above/work
mount -t overlay -o $over none /run/above/root
cd /run/above/root
mount -t proc none proc
mount -t sysfs none sys
$devices
mount -t tmpfs none run
mkdir run/netns
# the kind that the kernel has
for each in arptables iptables ip6tables; do
    ln -sf /usr/sbin/$each-$tables etc/alternatives/$each
done
ip link set lo up
# packets wait here when the machine outside has something else to do
echo 100000 > proc/sys/net/core/netdev_max_backlog
exec chroot . env {variables} {program}
"""


def _script(plan: Path, files: str, program: Sequence[str], variables: Mapping[str, str]) -> str:
    return _ROOT.format(
        path=SEARCH_PATH,
        files=files,
        variables=shlex.join(f"{name}={value}" for name, value in variables.items()),
        program=shlex.join((*program, str(plan))),
    )


class RootedUml(UserModeLinux):
    """User-mode Linux that runs the program, with the plan as its last argument, as its first
    process."""

    def __init__(self, program: Sequence[str], variables: Mapping[str, str]) -> None:
        self._program, self._variables = tuple(program), dict(variables)

    def command(self, work: Path, plan: Path) -> list[str]:
        """See `Kernel`."""
        command = super().command(work, plan)
        files = _UML_FILES.format(modules=MODULES)
        script = _script(plan, files, self._program, self._variables)
        # a kernel whose first process ends complains at length: it is halted instead
        script = script.replace("set -e", "set -e\ntrap 'busybox poweroff -f' EXIT")
        script = script.replace("exec chroot", "chroot")
        (work / "init").write_text(script, encoding="utf-8")
        return command


class RootedQemu(Qemu):
    """Debian's kernel that runs the program, with the plan as its last argument."""

    def __init__(self, program: Sequence[str], variables: Mapping[str, str]) -> None:
        super().__init__()
        self._program, self._variables = tuple(program), dict(variables)

    def command(self, work: Path, plan: Path) -> list[str]:
        """See `Kernel`."""
        command = super().command(work, plan)
        files = _QEMU_FILES.format(tag=_TAG)
        (work / "run").write_text(
            _script(plan, files, self._program, self._variables), encoding="utf-8"
        )
        device = f"virtio-9p-pci,fsdev={_TAG},mount_tag={_TAG}"
        share = f"local,id={_TAG},path=/,security_model=none,readonly=on,multidevs=remap"
        return [command[0], f"--qemu-opts=-fsdev {share} -device {device}", *command[1:]]


ROOTED: dict[str, Callable[[Sequence[str], Mapping[str, str]], RootedUml | RootedQemu]] = {
    "uml": RootedUml,
    "qemu": RootedQemu,
}
