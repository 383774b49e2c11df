"""Takes a lab away, whole or half made."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from drctl.errors import DrctlError, FileRefused
from drctl.lab.pair.host import run
from drctl.lab.setup import process, state
from drctl.lab.setup.build import NETNS, journals_of
from drctl.lab.setup.design import namespace_of
from drctl.lab.setup.state import State


@dataclass(frozen=True, slots=True)
class Gone:
    """What was taken away."""

    processes: int
    namespaces: tuple[str, ...]


def take_down(known: State) -> Gone:
    """End its processes, delete its namespaces and files; its state goes last. Raises DrctlError
    when something stays."""
    names = tuple(dict.fromkeys((*known.namespaces, *_others(known.name))))
    ended = process.end_all(known.name, names)
    there = [name for name in names if (NETNS / name).exists()]
    for name in there:
        if os.path.ismount(NETNS / name):
            for path in journals_of(name):
                path.unlink(missing_ok=True)
    if there:
        run("ip", "-batch", "-", stdin="".join(f"netns delete {name}\n" for name in there))
    _check_gone(names)
    _remove(known.folder)
    state.forget(known.name)
    return Gone(ended, tuple(there))


def _others(name: str) -> list[str]:
    """Namespaces of the lab that its state does not know of."""
    return sorted(path.name for path in NETNS.glob(namespace_of(name, "*")))


def _check_gone(names: tuple[str, ...]) -> None:
    left = [name for name in names if (NETNS / name).exists()]
    if left:
        raise DrctlError(f"network namespaces stay: {', '.join(left)}")


def _remove(folder: Path) -> None:
    """The files; who was killed a moment ago may have written one meanwhile."""
    limit_s = time.monotonic() + 2
    while folder.exists():
        try:
            shutil.rmtree(folder)
        except OSError as cause:
            if time.monotonic() > limit_s:
                raise FileRefused("remove", str(folder), cause) from cause
