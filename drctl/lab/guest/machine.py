"""The guest's own ground: file systems, kernel modules, power."""

from __future__ import annotations

import ctypes
import os
import platform
from pathlib import Path

from drctl.lab.guest.shell import GuestError, mount, run

BASE = Path("/run/drctl-lab")
_UML_MODULES = Path("/usr/lib/uml/modules")
_POWER_OFF = 0x4321FEDC
_BASIC = ("overlay", "bridge", "veth", "ip_vs", "af_packet")


def prepare(*, is_init: bool) -> None:
    """Make a bare kernel a place where hosts can be built. `is_init`: nobody mounted anything."""
    if is_init:
        if os.getpid() != 1:
            raise GuestError("this is not the first process of a guest; refusing to mount")
        for kind, where in (("proc", "/proc"), ("sysfs", "/sys"), ("tmpfs", "/run")):
            mount(kind, Path(where))
    _refuse_writable_root()
    BASE.mkdir(parents=True)
    mount("tmpfs", BASE, "mode=755")
    Path("/run/netns").mkdir(exist_ok=True)
    _prepare_modules()
    run("ip", "link", "set", "lo", "up")


def _refuse_writable_root() -> None:
    """The machine's files must be out of reach, or nothing may run."""
    lines = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    roots = [line.split() for line in lines if line.split()[1] == "/"]
    if not roots or "ro" not in roots[-1][3].split(","):
        raise GuestError("the root file system is writable; refusing to go on")


def _prepare_modules() -> None:
    """User-mode Linux has its modules elsewhere; modprobe, and the kernel when it wants one by
    itself, find them by a wrapper, since nothing may be written below /lib."""
    modules = _UML_MODULES / platform.release()
    if modules.is_dir():
        place = BASE / "modules" / "lib" / "modules"
        place.mkdir(parents=True)
        (place / platform.release()).symlink_to(modules)
        wrapper = BASE / "modprobe"
        wrapper.write_text(
            f'#!/bin/sh\nexec /sbin/modprobe -d {BASE}/modules "$@"\n', encoding="utf-8"
        )
        wrapper.chmod(0o755)
        Path("/proc/sys/kernel/modprobe").write_text(f"{wrapper}\n", encoding="utf-8")
        modprobe = str(wrapper)
    else:
        modprobe = "modprobe"
    run(modprobe, "-a", *_BASIC)


def power_off() -> None:
    """End the guest at once. Nothing is to be saved: the root is read-only."""
    os.sync()
    ctypes.CDLL(None, use_errno=True).reboot(_POWER_OFF)
