"""The guard as the executor wants it: told of addresses, and replaced when it dies."""

from __future__ import annotations

import threading

from drctl.daemon.executor import packed
from drctl.daemon.guard_client import GuardClient, GuardLost, Lock

_PATIENCE_MS = 1000


class GuardKeeper:
    """Always one guard. `table_name` is the fence's, "" where there is none.

    `restart` may run in another thread, for it takes as long as a process takes to start; `hold`
    waits for its end.
    """

    def __init__(self, lock: Lock, table_name: str) -> None:
        self._lock = lock
        self._table_name = table_name
        self._client = GuardClient.spawn(lock)
        self._has_ended = False
        self._one_at_a_time = threading.Lock()

    @property
    def pid(self) -> int:
        return self._client.pid

    def fileno(self) -> int:
        """Readable when the guard is dead; another descriptor after `restart`."""
        return self._client.fileno()

    def hold(self, addresses: frozenset[str]) -> None:
        """It answers for these when this returns. Raises `GuardLost`."""
        with self._one_at_a_time:
            self._client.hold(packed(addresses), self._table_name)

    def restart(self, addresses: frozenset[str]) -> None:
        """Another guard that answers for these. Raises `GuardLost`."""
        with self._one_at_a_time:
            client = GuardClient.spawn(self._lock)
            try:
                client.hold(packed(addresses), self._table_name)
            except GuardLost:
                client.kill()
                raise
            self._client.forget()
            self._client = client

    def leave(self) -> None:
        """It ends, and leaves what is there; one that does not listen is killed."""
        with self._one_at_a_time:
            try:
                self._client.end(is_release=False, timeout_ms=_PATIENCE_MS)
            except GuardLost:
                self._client.kill()
            self._has_ended = True

    def end(self) -> None:
        """It ends, and gives up what it still answers for."""
        if self._has_ended:
            return
        self._client.end(is_release=True)
