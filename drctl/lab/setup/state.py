"""What is known of labs on this machine: a file for each, written before anything is made, so that
whoever takes a lab down finds all of it, whatever became of its maker."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from drctl.errors import DrctlError, FileRefused
from drctl.lab.setup.design import Design, Source

BASE = Path("/run/drctl/lab")
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class State:
    """A lab: what it was made of, and the network namespaces it may have. `is_complete`: once
    everything was there. `kernel` is that of the guest it is in, "" on this machine's."""

    name: str
    source: Source
    digest: str
    namespaces: tuple[str, ...]
    is_complete: bool = False
    kernel: str = ""

    @property
    def folder(self) -> Path:
        """Keys, settings and logs of its hosts."""
        return folder_of(self.name)


def folder_of(name: str) -> Path:
    """Where the files of a lab's hosts are."""
    return BASE / name


def path_of(name: str) -> Path:
    """Where a lab's state is."""
    return BASE / f"{name}.json"


def state_of(design: Design, *, is_complete: bool) -> State:
    """The state of a lab of this design."""
    return State(design.name, design.source, design.digest, design.namespaces, is_complete)


def read(name: str) -> State | None:
    """What is known of a lab; None when there is none."""
    path = path_of(name)
    try:
        told = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except OSError as cause:
        raise FileRefused("read", str(path), cause) from cause
    except ValueError as cause:
        raise DrctlError(f"{path} is damaged: {cause}") from cause
    if told.get("schema") != SCHEMA:
        raise DrctlError(f"{path} was written by another version of drctl")
    return State(
        told["name"],
        Source(**told["source"]),
        told["digest"],
        tuple(told["namespaces"]),
        told["is_complete"],
        told.get("kernel", ""),
    )


def write(state: State) -> None:
    """Remember it, all or nothing."""
    path = path_of(state.name)
    part = path.with_suffix(".new")
    try:
        with part.open("w", encoding="utf-8") as file:
            json.dump({"schema": SCHEMA, **asdict(state)}, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as cause:
        raise FileRefused("write", str(path), cause) from cause


def forget(name: str) -> None:
    """The lab is gone."""
    path = path_of(name)
    path.with_suffix(".new").unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def names() -> list[str]:
    """All labs that are there, or were begun."""
    return sorted(path.stem for path in BASE.glob("*.json"))


@contextmanager
def locked() -> Iterator[None]:
    """Nobody else makes or takes down a lab meanwhile. The folder of all labs is there; it goes
    when nothing is left in it."""
    descriptor = _lock()
    try:
        yield
    finally:
        with suppress(OSError):  # there is another lab, or something else of drctl
            BASE.rmdir()
            BASE.parent.rmdir()
        os.close(descriptor)


def _lock() -> int:
    while True:
        try:
            BASE.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(BASE, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # whoever had the lock took the folder away
        except OSError as cause:
            raise FileRefused("make", str(BASE), cause) from cause
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            is_there = _is_at(BASE, descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        if is_there:
            return descriptor
        os.close(descriptor)  # whoever had the lock took the folder away


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether the path still leads to what is open."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
