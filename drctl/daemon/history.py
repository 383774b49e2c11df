"""What happened, kept in SQLite: one row for each change of role, alarm and operator's command.

A row has the time of day in milliseconds since 1970 (`at_ms`), a `kind` (role, alarm, command,
reload, track, script, link, start, stop, lost), what is known of `group`, roles `before` and
`after`, `epoch` and `reason`, and all other facts as JSON (`evidence`).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from drctl.daemon.lost_event import wall_ms
from drctl.errors import DrctlError

SCHEMA = 1
KEPT_ROWS = 100_000
KEPT_DAYS = 365
YOUNGEST_ROWS = 1000
LONGEST_TEXT = 4096

_APPLICATION = 0x64726374
_DAY_MS = 86_400_000
_BUSY_S = 5.0
_COLUMNS = ("at_ms", "kind", "group", "before", "after", "epoch", "reason")
_MADE = f"""
PRAGMA application_id = {_APPLICATION};
BEGIN;
CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    "group" TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    epoch INTEGER,
    reason TEXT NOT NULL,
    evidence TEXT NOT NULL
);
CREATE INDEX event_at ON event (at_ms);
CREATE INDEX event_group ON event ("group", id);
PRAGMA user_version = {SCHEMA};
COMMIT;
"""
_INSERT = """
INSERT INTO event (at_ms, kind, "group", before, after, epoch, reason, evidence)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_SET_ASIDE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class HistoryRefused(DrctlError):
    """The history cannot be read or written now."""


class History:
    """The writing end. `note` says what was done to an older file, "" when nothing was."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.note = ""
        self._connection: sqlite3.Connection | None = None

    def write(self, events: Sequence[dict[str, Any]]) -> None:
        """All of them or none. Raises `HistoryRefused`; a later try may succeed."""
        rows = [_row(event) for event in events]
        try:
            self._insert(rows)
        except sqlite3.Error as cause:
            self.close()
            if not _is_damaged(cause):
                raise HistoryRefused(f"cannot write {self.path}: {cause}") from cause
            self._set_aside("damaged")
            try:
                self._insert(rows)
            except sqlite3.Error as again:
                self.close()
                raise HistoryRefused(f"cannot write {self.path}: {again}") from again

    def _insert(self, rows: list[tuple[Any, ...]]) -> None:
        connection = self._opened()
        with connection:
            connection.executemany(_INSERT, rows)

    def prune(self, now_ms: int, kept_rows: int = KEPT_ROWS, kept_days: int = KEPT_DAYS) -> None:
        """Delete what is too much, and what is too old but for the last YOUNGEST_ROWS: a clock
        that is wrong must not empty the history. Raises `HistoryRefused`."""
        try:
            connection = self._opened()
            with connection:
                connection.execute(
                    "WITH last (id) AS (SELECT max(id) FROM event) DELETE FROM event "
                    "WHERE id <= (SELECT id FROM last) - ? "
                    "OR (at_ms < ? AND id <= (SELECT id FROM last) - ?)",
                    (kept_rows, now_ms - kept_days * _DAY_MS, YOUNGEST_ROWS),
                )
        except sqlite3.Error as cause:
            self.close()
            raise HistoryRefused(f"cannot prune {self.path}: {cause}") from cause

    def close(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None:
            return self._connection
        connection = sqlite3.connect(self.path, timeout=_BUSY_S)
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA journal_size_limit = {1 << 20}")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                connection.executescript(_MADE)
        except sqlite3.Error:
            connection.close()
            raise
        if version not in {0, SCHEMA}:
            connection.close()
            self._set_aside(f"schema-{version}")
            return self._opened()
        self.path.chmod(0o600)
        self._connection = connection
        return connection

    def _set_aside(self, word: str) -> None:
        """Keep what cannot be continued under another name, and begin anew."""
        aside = self.path.with_name(f"{self.path.name}.{word}")
        with suppress(FileNotFoundError):
            self.path.replace(aside)
        for ending in ("-wal", "-shm"):
            other = self.path.with_name(self.path.name + ending)
            with suppress(FileNotFoundError):
                other.replace(aside.with_name(aside.name + ending))
        self.note = f"{self.path} could not be continued; it is kept as {aside.name}"


def read(
    path: Path | str,
    *,
    group: str = "",
    kinds: Iterable[str] = (),
    since_ms: int = 0,
    after_id: int = 0,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """The latest events, at most `limit`, the oldest of them first; each with its `id`.

    `group` leaves out what other groups did, but not what concerns all. Raises `HistoryRefused`,
    also for a group that did nothing yet.
    """
    conditions, values = ["at_ms >= ?", "id > ?"], [since_ms, after_id]
    wanted: list[Any] = list(values)
    if group:
        conditions.append("\"group\" IN (?, '')")
        wanted.append(group)
    if kinds := tuple(kinds):
        conditions.append(f"kind IN ({', '.join('?' * len(kinds))})")
        wanted += kinds
    query = (
        f'SELECT id, at_ms, kind, "group", before, after, epoch, reason, evidence FROM event '
        f"WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT ?"
    )
    path = Path(path)
    try:
        is_there = path.exists()
    except PermissionError as cause:
        message = f"no permission for {path}: read it as root, as which drctl runs"
        raise HistoryRefused(message) from cause
    if not is_there:
        raise HistoryRefused(f"there is no history at {path}: drctl run has not written one yet")
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", _BUSY_S, uri=True)
        try:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version != SCHEMA:
                raise HistoryRefused(f"{path} has schema {version}; this drctl reads {SCHEMA}")
            if group:
                _check_group(connection, path, group)
            rows = connection.execute(query, (*wanted, limit)).fetchall()
        finally:
            connection.close()
    except sqlite3.Error as cause:
        raise HistoryRefused(f"cannot read {path}: {cause}") from cause
    return [_event(row) for row in reversed(rows)]


def _check_group(connection: sqlite3.Connection, path: Path, group: str) -> None:
    found = connection.execute('SELECT DISTINCT "group" FROM event ORDER BY "group"').fetchall()
    names = [name for (name,) in found if name]
    if group not in names:
        raise HistoryRefused(f"{path} has no group {group}; it has {', '.join(names) or 'none'}")


def _row(event: dict[str, Any]) -> tuple[Any, ...]:
    evidence = {name: value for name, value in event.items() if name not in _COLUMNS}
    epoch = event.get("epoch")
    return (
        _number(event.get("at_ms"), wall_ms()),
        *(_text(event.get(name, "")) for name in ("kind", "group", "before", "after")),
        None if epoch is None else _number(epoch, 0),
        _text(event.get("reason", "")),
        json.dumps(evidence, ensure_ascii=True),
    )


def _text(value: Any) -> str:
    """A text that SQLite can hold."""
    return str(value)[:LONGEST_TEXT].encode("utf-8", "replace").decode()


def _number(value: Any, otherwise: int) -> int:
    """A number that SQLite can hold."""
    if isinstance(value, int) and abs(value) < 1 << 63:
        return value
    return otherwise


def _event(row: tuple[Any, ...]) -> dict[str, Any]:
    found = dict(zip(("id", *_COLUMNS), row[:-1], strict=True))
    return {**found, "evidence": json.loads(row[-1])}


def _is_damaged(cause: sqlite3.Error) -> bool:
    return getattr(cause, "sqlite_errorcode", 0) & 0xFF in _SET_ASIDE
