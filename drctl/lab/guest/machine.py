"""The guest's own ground: file systems, kernel modules, power."""

from __future__ import annotations

import ctypes
import os
import platform
from pathlib import Path

from drctl.lab.guest.shell import GuestError, mount, run

BASE = Path("/run/drctl-lab")
_WRAPPER = BASE / "modprobe"
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
    modprobe = "modprobe"
    if _uml_modules().is_dir():
        _link_modules(BASE / "modules")
        modprobe = str(_WRAPPER)
        _write_wrapper(_WRAPPER, f"-d {BASE}/modules")
        Path("/proc/sys/kernel/modprobe").write_text(f"{modprobe}\n", encoding="utf-8")
    run(modprobe, "-a", *_BASIC)


def give_modules(root: Path) -> None:
    """A host's own modprobe finds the kernel's modules; programs that ask the kernel for the name
    of modprobe (arptables, iptables) find it too."""
    if _uml_modules().is_dir():
        _link_modules(root)
        _write_wrapper(root / _WRAPPER.relative_to("/"), "")


def _uml_modules() -> Path:
    return _UML_MODULES / platform.release()


def _link_modules(root: Path) -> None:
    place = root / "usr" / "lib" / "modules"
    place.mkdir(parents=True, exist_ok=True)
    (place / platform.release()).symlink_to(_uml_modules())
    if not (root / "lib").is_symlink():
        (root / "lib").symlink_to("usr/lib")


def _write_wrapper(path: Path, options: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nexec /sbin/modprobe {options} "$@"\n', encoding="utf-8")
    path.chmod(0o755)


def power_off() -> None:
    """End the guest at once. Nothing is to be saved: the root is read-only."""
    os.sync()
    ctypes.CDLL(None, use_errno=True).reboot(_POWER_OFF)
