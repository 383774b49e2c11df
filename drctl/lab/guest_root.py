"""Guests in which any program runs as on this machine: its files are there, below a file system in
memory, and what is written is gone with the guest.

A guest of `uml` or `qemu` has this machine's files read-only, which is all that trials of converted
files need; directors, and tests, write theirs.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from drctl.lab.door.frames import INSIDE, PREFIX, TAP
from drctl.lab.guest.shell import SEARCH_PATH
from drctl.lab.qemu import Qemu
from drctl.lab.uml import MODULES, UserModeLinux

_TAG = "machine"
_SHARE = f"local,id={_TAG},path=/,security_model=none,readonly=on,multidevs=remap"
_NETWORK = f"tap,id=door,ifname={TAP},script=no,downscript=no"
_QEMU_FILES = """\
mkdir -p /run/below
mount -t 9p -o ro,trans=virtio,version=9p2000.L,cache=loose,msize=524288 {tag} /run/below
# a lab loads no modules by itself
modprobe -a virtio_net ip_vs ipip || echo "modprobe: no virtio_net, ip_vs or ipip"
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
devices="mount -t devtmpfs none dev && mkdir -p dev/pts && mount -t devpts none dev/pts"
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
eval "$devices"
mount -t tmpfs none run
mkdir run/netns
# the kind that the kernel has
for each in arptables iptables ip6tables; do
    ln -sf /usr/sbin/$each-$tables etc/alternatives/$each
done
ip link set lo up
{door}
# packets wait here when the machine outside has something else to do
echo 100000 > proc/sys/net/core/netdev_max_backlog
exec chroot . env {variables} {program}
"""


_DOOR = f"""\
# the one card that is no kernel's own; it may come, or get another name, a little later
for each in $(seq 20); do
    for card in sys/class/net/*/device; do
        card=${{card%/device}} && card=${{card##*/}}
    done
    ip link set $card up && ip address replace {INSIDE}/{PREFIX} dev $card && break
    sleep 0.5
done"""


@dataclass(frozen=True)
class _Inside:
    """What the guest runs: with a door, the card that leads outside is there."""

    program: tuple[str, ...]
    variables: dict[str, str]
    has_door: bool

    def script(self, plan: Path, files: str) -> str:
        """The guest's first program."""
        variables = shlex.join(f"{name}={value}" for name, value in self.variables.items())
        return _ROOT.format(
            path=SEARCH_PATH,
            files=files,
            door=_DOOR if self.has_door else "",
            variables=variables,
            program=shlex.join((*self.program, str(plan))),
        )


class RootedUml(UserModeLinux):
    """User-mode Linux that runs the program, with the plan as its last argument, as its first
    process."""

    def __init__(
        self, program: Sequence[str], variables: Mapping[str, str], *, has_door: bool = False
    ) -> None:
        self._inside = _Inside(tuple(program), dict(variables), has_door)

    def command(self, work: Path, plan: Path) -> list[str]:
        """See `Kernel`."""
        command = super().command(work, plan)
        files = _UML_FILES.format(modules=MODULES)
        script = self._inside.script(plan, files)
        # a kernel whose first process ends complains at length: it is halted instead
        script = script.replace("set -e", "set -e\ntrap 'busybox poweroff -f' EXIT")
        script = script.replace("exec chroot", "chroot")
        (work / "init").write_text(script, encoding="utf-8")
        # without gro it drops what is longer than a packet
        card = (f"vec0:transport=tap,ifname={TAP},gro=1",) if self._inside.has_door else ()
        return [*command, *card]


class RootedQemu(Qemu):
    """Debian's kernel that runs the program, with the plan as its last argument."""

    def __init__(
        self, program: Sequence[str], variables: Mapping[str, str], *, has_door: bool = False
    ) -> None:
        super().__init__()
        self._inside = _Inside(tuple(program), dict(variables), has_door)

    def command(self, work: Path, plan: Path) -> list[str]:
        """See `Kernel`."""
        command = super().command(work, plan)
        files = _QEMU_FILES.format(tag=_TAG)
        (work / "run").write_text(self._inside.script(plan, files), encoding="utf-8")
        devices = f"-fsdev {_SHARE} -device virtio-9p-pci,fsdev={_TAG},mount_tag={_TAG}"
        if self._inside.has_door:
            devices += f" -netdev {_NETWORK} -device virtio-net-pci,netdev=door"
        return [command[0], f"--qemu-opts={devices}", *command[1:]]


ROOTED: dict[str, type[RootedUml | RootedQemu]] = {"uml": RootedUml, "qemu": RootedQemu}
