"""Groups lent by etcd to one director at a time: what the process does that asks for them.

A group's key has the name of the director that may hold it, and ends with the lease of who wrote
it. Whoever hands a group over writes the other's name, still under his own lease; the other puts
the key under his.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from drctl.adapters.arbiter_etcd import Entry, Etcd, EtcdRefused

Tell = Callable[[str, int], None]
"""Told a group, and until when this node may hold it: 0 not at all."""

AGAIN_MS = 50
"""Pause between attempts to get a group that another one has."""
AFTER_TROUBLE_MS = 500
NEVER_MS = 1 << 62
_DRIFT = 100
"""Clocks differ by a hundredth at most."""


class Lending:
    """One node's part. What is told ends `lag_ms` before the cluster could lend it to another one:
    so long the kernel may go on answering for a process that was stopped."""

    def __init__(self, etcd: Etcd, node: str, prefix: str, ttl_ms: int, lag_ms: int) -> None:
        self._etcd = etcd
        self._node = node
        self._prefix = prefix
        self._ttl_ms = ttl_ms
        self._good_ms = max(0, ttl_ms - ttl_ms // _DRIFT - lag_ms)
        self._wanted: dict[str, str] = {}
        self._lease = 0
        self._until_ms = 0
        self._keep_at_ms = NEVER_MS
        self._again_ms = 0
        self._mine: set[str] = set()
        """Groups that this node may hold, as far as it knows."""
        self._written: set[str] = set()
        """Groups of which a key may be under our lease."""
        self.trouble = ""
        self.tell: Tell = lambda _group, _until_ms: None

    @property
    def is_idle(self) -> bool:
        """Nothing in the cluster is this node's."""
        return not self._written

    def wants(self, wanted: Mapping[str, str], now: Callable[[], int]) -> None:
        """By group who is to have it: this node, or another one that it is handed over to."""
        self._wanted = dict(wanted)
        for group in sorted(self._mine):
            if self._wanted.get(group) == self._node:
                self.tell(group, self._until_ms)
        self.work(now)

    def wake_ms(self) -> int:
        """When there is something to `work` at."""
        is_waiting = any(
            holder == self._node and group not in self._mine
            for group, holder in self._wanted.items()
        )
        keep_at_ms = self._keep_at_ms if self._wanted or self._written else NEVER_MS
        if self._wanted and not self._lease:
            keep_at_ms = self._again_ms
        return min(keep_at_ms, self._again_ms if is_waiting or self.trouble else NEVER_MS)

    def work(self, now: Callable[[], int]) -> None:
        """Do what is due; tries again later what nobody answers."""
        try:
            self._give_away()
            if self._wanted or self._written:
                self._keep(now)
            self._get(now)
            self.trouble = ""
        except EtcdRefused as refused:
            self.trouble = str(refused)
        self._again_ms = now() + (AFTER_TROUBLE_MS if self.trouble else AGAIN_MS)

    def rest(self) -> None:
        """Give everything back at once, until there is `work` again."""
        lease = self._lease
        self._lose()
        if lease:
            try:
                self._etcd.revoke(lease)
            except EtcdRefused as refused:
                self.trouble = str(refused)

    def _keep(self, now: Callable[[], int]) -> None:
        """Have a lease, with most of its time left."""
        asked_ms = now()
        if self._lease and asked_ms < self._keep_at_ms:
            return
        if self._lease and not self._etcd.keep_alive(self._lease):
            self._lose()
        if not self._lease:
            asked_ms = now()
            self._lease = self._etcd.grant(self._ttl_ms // 1000)
        self._until_ms = asked_ms + self._good_ms
        self._keep_at_ms = asked_ms + max(AGAIN_MS, self._good_ms // 3)
        for group in sorted(self._mine):
            if self._is_mine(self._etcd.entry(self._key(group))):
                self.tell(group, self._until_ms)
            else:
                self._refuse(group)

    def _lose(self) -> None:
        """The lease has ended, and all keys with it."""
        self._lease = 0
        self._written.clear()
        for group in sorted(self._mine):
            self._refuse(group)

    def _refuse(self, group: str) -> None:
        self._mine.discard(group)
        self.tell(group, 0)

    def _get(self, now: Callable[[], int]) -> None:
        for group, holder in self._wanted.items():
            if holder == self._node and group not in self._mine and now() < self._until_ms:
                self._take(group)

    def _take(self, group: str) -> None:
        """Nobody has it, or it is meant for this node, or what was passed on was not taken."""
        key = self._key(group)
        self._written.add(group)
        found = self._etcd.create(key, self._node, self._lease)
        if found is not None and not self._is_mine(found):
            is_ours = self._node == found.value or (found.lease == self._lease and found.lease)
            if not is_ours:
                self._written.discard(group)
                return
            found = self._etcd.replace(key, found.revision, self._node, self._lease)
        if found is None or self._is_mine(found):
            self._mine.add(group)
            self.tell(group, self._until_ms)

    def _give_away(self) -> None:
        """What is wanted no more, or is to be another's: told first, then written."""
        for group in sorted(self._mine):
            if self._wanted.get(group) != self._node:
                self._refuse(group)
        for group in sorted(self._written - self._mine):
            holder = self._wanted.get(group, "")
            if holder == self._node:
                continue
            key = self._key(group)
            found = self._etcd.entry(key)
            is_under_ours = found is not None and found.lease == self._lease and self._lease != 0
            if found is None or not is_under_ours:
                self._written.discard(group)
            elif not holder:
                self._etcd.delete(key, found.revision)
                self._written.discard(group)
            elif found.value != holder:
                self._etcd.replace(key, found.revision, holder, self._lease)

    def _is_mine(self, found: Entry | None) -> bool:
        return found is not None and found.value == self._node and found.lease == self._lease

    def _key(self, group: str) -> str:
        return f"{self._prefix}{group}"
