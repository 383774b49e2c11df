"""Boots a guest kernel with IPVS and asks keepalived in it what it understands of configurations.

One boot answers for many files. The dumps are kept under the digest of all that they depend on.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corpus import PROJECT

from drctl.lab.boot import GuestLostError, run_guest
from drctl.lab.guest.shell import SEARCH_PATH
from drctl.lab.uml import UserModeLinux

GUEST = PROJECT / "tests" / "agreement" / "meaning_guest.py"
BOOT_LIMIT_S = 90
SILENCE_LIMIT_S = 180


@dataclass(frozen=True, slots=True)
class Asked:
    """A configuration: the text of the main file under its name, and those that it includes."""

    name: str
    text: str
    others: dict[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Changes with the texts and with the way of asking."""
        whole = [self.name, self.text, self.others, GUEST.read_text("utf-8")]
        return hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:32]


class DumpKernel(UserModeLinux):
    """User-mode Linux whose first process is the guest program of these tests."""

    def command(self, work: Path, plan: Path) -> list[str]:
        """See `drctl.lab.boot.Kernel`."""
        command = super().command(work, plan)
        guest = shlex.join([sys.executable, "-B", str(GUEST), str(plan), "--init"])
        (work / "init").write_text(
            f"#!/bin/sh\nexport PATH={SEARCH_PATH} HOME=/root LC_ALL=C.UTF-8\nexec {guest}\n",
            encoding="utf-8",
        )
        return command


def ask_guest(files: Sequence[Asked], folder: Path) -> Iterator[tuple[Asked, dict[str, Any]]]:
    """Each file with the answer of the guest; `folder` is for files of the boot."""
    keepalived = shutil.which("keepalived", path=SEARCH_PATH)
    assert keepalived is not None, "the caller has asked whether keepalived is installed"
    plan = folder / "plan.json"
    jobs = [
        {"name": f.name, "text": f.text, "others": f.others, "keepalived": keepalived}
        for f in files
    ]
    plan.write_text(json.dumps(jobs), encoding="utf-8")
    waiting = iter(files)
    for event in run_guest(
        DumpKernel(), folder, plan, boot_limit_s=BOOT_LIMIT_S, silence_limit_s=SILENCE_LIMIT_S
    ):
        if event["event"] == "error":
            raise GuestLostError(event["message"])
        if event["event"] == "dumped":
            yield next(waiting), event


def answers(files: Sequence[Asked], cache: Path | None) -> Iterator[tuple[Asked, dict[str, Any]]]:
    """Each file with its answer, from `cache` as far as it has them."""
    unknown = list(files)
    if cache is not None:
        cache.mkdir(parents=True, exist_ok=True)
        unknown = []
        for file in files:
            kept = cache / f"meaning-{file.digest}.json"
            if kept.is_file():
                yield file, json.loads(kept.read_text("utf-8"))
            else:
                unknown.append(file)
    if not unknown:
        return
    with tempfile.TemporaryDirectory(prefix="meaning-") as folder:
        for file, answer in ask_guest(unknown, Path(folder)):
            if cache is not None:
                (cache / f"meaning-{file.digest}.json").write_text(json.dumps(answer), "utf-8")
            yield file, answer
