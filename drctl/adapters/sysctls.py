"""Kernel settings now, and those that the boot files will make (sysctl.d(5))."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from drctl.errors import FileRefused

CONF = Path("/proc/sys/net/ipv4/conf")
CONF6 = Path("/proc/sys/net/ipv6/conf")
_FOLDERS = (
    "etc/sysctl.d",
    "run/sysctl.d",
    "usr/local/lib/sysctl.d",
    "usr/lib/sysctl.d",
    "lib/sysctl.d",
)


@dataclass(frozen=True, slots=True)
class Setting:
    """A line of a boot file."""

    value: str
    path: str


def conf_values(name: str, conf: Path = CONF) -> dict[str, int]:
    """One of net.ipv4.conf's settings (or another folder's) for each interface, with `all` and
    `default`; none of a family that the kernel lacks."""
    found: dict[str, int] = {}
    for folder in sorted(conf.iterdir()) if conf.is_dir() else ():
        try:
            found[folder.name] = int((folder / name).read_text("ascii"))
        except FileNotFoundError:
            continue
        except OSError as cause:
            raise FileRefused("read", str(folder / name), cause) from cause
    return found


def boot_settings(root: Path) -> dict[str, Setting]:
    """What will be set at boot below `root`, each key by the file that comes last: of files with
    one name the first folder's counts, then they go by name, and /etc/sysctl.conf is read as
    99-sysctl.conf where that is a link to it, or else last by `sysctl --system` (procps)."""
    files: dict[str, Path] = {}
    for folder in _FOLDERS:
        for file in sorted((root / folder).glob("*.conf")):
            files.setdefault(file.name, file)
    ordered = [files[name] for name in sorted(files)]
    last = root / "etc/sysctl.conf"
    if last.exists():
        ordered.append(last)
    found: dict[str, Setting] = {}
    for file in ordered:
        for key, value in _lines(file):
            found[key] = Setting(value, "/" + str(file.relative_to(root)))
    return found


def _lines(file: Path) -> list[tuple[str, str]]:
    try:
        text = file.read_text("utf-8", errors="replace")
    except OSError as cause:
        raise FileRefused("read", str(file), cause) from cause
    found = []
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped or stripped[0] in "#;":
            continue
        key, is_pair, value = stripped.partition("=")
        if is_pair:
            found.append((key.strip().lstrip("-").replace("/", "."), value.strip()))
    return found
