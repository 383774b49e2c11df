"""install.sh and uninstall.sh of a host, whatever its files and steps are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from drctl.errors import UnsafeValue
from drctl.render.environment import rendered_file, shell, targets
from drctl.render.rendered import RenderedFile, Rendering, Step
from drctl.render.trusted import Trusted

_PACKAGES = {
    "arptables": ("arptables", "iptables-nft (arptables_jf before 7)"),
    "ip": ("iproute2", "iproute"),
    "ipvsadm": ("ipvsadm", "ipvsadm"),
    "iptables": ("iptables", "iptables"),
    "keepalived": ("keepalived", "keepalived"),
    "modprobe": ("kmod", "kmod"),
    "nft": ("nftables", "nftables"),
    "python3": ("python3", "python3"),
    "sysctl": ("procps", "procps-ng"),
}
"""Debian's and Red Hat's package of each tool; one that is not here is called like its tool."""


@dataclass(frozen=True, slots=True)
class _Copied:
    """A file as install.sh sees it; `mode` is octal text."""

    path: str
    mode: str


def with_installers(rendering: Rendering, source: str) -> Rendering:
    """The rendering with the two scripts that its files and steps ask for. `source` is the base
    name of what all came from."""
    files = tuple((file.path, file.mode) for file in rendering.files)
    return replace(rendering, installers=_installers(files, rendering.steps, source))


@lru_cache(maxsize=64)
def _installers(
    copied: tuple[tuple[str, int], ...], unordered: tuple[Step, ...], source: str
) -> tuple[RenderedFile, ...]:
    """Two of them; those of equal real servers are equal."""
    files = [_copied(path, mode) for path, mode in sorted(copied)]
    steps = sorted(unordered, key=lambda step: step.stage)
    tools = sorted({tool for step in steps for tool in step.tools})
    install = rendered_file(
        targets()["install"],
        source=source,
        files=files,
        steps=[
            {"title": Trusted(shell(step.title)), "activate": _code(step.activate)}
            for step in steps
        ],
        tools=[tuple(shell(w) for w in (tool, *_package(tool))) for tool in tools],
        and_activates=" and brings them to life" if steps else "",
    )
    uninstall = rendered_file(
        targets()["uninstall"],
        source=source,
        steps=[
            {"title": Trusted(shell(step.title)), "deactivate": _code(step.deactivate)}
            for step in reversed(steps)
            if step.deactivate
        ],
    )
    return install, uninstall


def _package(tool: str) -> tuple[str, str]:
    return _PACKAGES.get(tool, (tool, tool))


def _code(lines: str) -> Trusted:
    """Lines of a step as one word of the script; they are ours, line ends and all."""
    return Trusted(shell(lines.strip("\n")))


def _copied(path: str, mode: int) -> _Copied:
    """UnsafeValue for a path that the scripts' lists, one path a line, cannot hold."""
    parts = path.split("/")
    if parts[0] or "" in parts[1:] or ".." in parts or any(c in path for c in "\n\r\0 \t\\"):
        raise UnsafeValue(f"{path!r} is no plain absolute path that a host's file can have")
    return _Copied(path, f"{mode:04o}")
