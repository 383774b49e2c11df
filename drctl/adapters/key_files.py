"""Writes key files: all of them or none, each at once, and a secret never readable by others."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from drctl.adapters.keys import generate, public_text, secret_text
from drctl.errors import FileRefused


@dataclass(frozen=True, slots=True)
class MadeKeys:
    """The files of one node, and its public key."""

    node: str
    secret: str
    public: str
    key: str


def write_keys(nodes: Sequence[str], folder: str, *, is_forced: bool) -> list[MadeKeys]:
    """New keys for each node in `folder`. Nothing is written when one of the files is there already
    and `is_forced` is not set."""
    into = Path(folder)
    try:
        into.mkdir(parents=True, exist_ok=True)
    except OSError as refused:
        raise FileRefused("make the folder", folder, refused) from refused
    if not is_forced:
        for node in nodes:
            for path in (into / f"{node}.secret", into / f"{node}.public"):
                if path.is_symlink() or path.exists():
                    raise FileRefused("write", str(path), "it is there already (--force replaces)")
    made = []
    for node in nodes:
        keys = generate()
        secret, public = into / f"{node}.secret", into / f"{node}.public"
        _write(secret, secret_text(node, keys), 0o600, is_forced=is_forced)
        _write(public, public_text(node, keys), 0o644, is_forced=is_forced)
        made.append(MadeKeys(node, str(secret), str(public), keys.public))
    return made


def _write(path: Path, text: str, mode: int, *, is_forced: bool) -> None:
    """The whole file or nothing; one that came into being meanwhile is kept unless forced."""
    temporary = ""
    try:
        # mkstemp makes it for its owner alone
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        if is_forced:
            Path(temporary).replace(path)
        else:
            os.link(temporary, path)
        _sync_folder(path.parent)
    except OSError as refused:
        raise FileRefused("write", str(path), refused) from refused
    finally:
        with suppress(FileNotFoundError):
            if temporary:
                Path(temporary).unlink()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
