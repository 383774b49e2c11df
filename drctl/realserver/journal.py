"""What was changed on this host, written down before it is done: so that an interrupted run can be
run again, and everything can be undone."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from drctl.adapters.host_step import Step
from drctl.errors import DrctlError, FileRefused

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """A step that was begun: how it was before, and how it is since (None: that is not known, for
    the run was interrupted)."""

    step: Step
    before: str
    after: str | None = None


class Journal:
    """The entries, oldest first."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: list[Entry] = _read(path)

    def of(self, step: Step) -> Entry | None:
        """What is kept of this step."""
        return next((one for one in self.entries if one.step == step), None)

    def put(self, entry: Entry) -> None:
        """Add it, or replace what is kept of the step."""
        others = [one for one in self.entries if one.step != entry.step]
        known = self.of(entry.step)
        if known is None:
            self.entries = [*others, entry]
        else:
            self.entries = [entry if one is known else one for one in self.entries]
        self._write()

    def replace(self, old: Step, entry: Entry) -> None:
        """The entry takes the place of what is kept of an earlier step."""
        self.entries = [entry if one.step == old else one for one in self.entries]
        self._write()

    def done(self, step: Step, after: str) -> None:
        """The step is done."""
        known = self.of(step)
        assert known is not None
        self.put(replace(known, after=after))

    def drop(self, step: Step) -> None:
        """It is undone."""
        self.entries = [one for one in self.entries if one.step != step]
        self._write()

    def _write(self) -> None:
        text = json.dumps({"schema": SCHEMA, "entries": [asdict(one) for one in self.entries]})
        part = self.path.with_suffix(".new")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.path)
            if not self.entries:
                self.path.unlink()
        except OSError as cause:
            raise FileRefused("write", str(self.path), cause) from cause


def _read(path: Path) -> list[Entry]:
    try:
        told = json.loads(path.read_text())
    except FileNotFoundError:
        return []
    except OSError as cause:
        raise FileRefused("read", str(path), cause) from cause
    except ValueError as cause:
        raise DrctlError(f"{path} is damaged: {cause}") from cause
    if told.get("schema") != SCHEMA:
        raise DrctlError(f"{path} was written by another version of drctl")
    return [
        Entry(Step(**one["step"]), one["before"], one["after"]) for one in told.get("entries", [])
    ]
