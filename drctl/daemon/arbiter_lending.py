"""VIPs lent by etcd to one director at a time: what the process does that asks for them.

A VIP's key has the name of the director that may hold it, and ends with the lease of who wrote it.
Whoever hands a VIP over writes the other's name, still under his own lease; the other puts the key
under his. VIPs that are asked for together are taken together, or, when they are too many for one
transaction, in the order of their names, so that of two directors one gets them all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from drctl.adapters.arbiter_etcd import MOST_KEYS, Entry, Etcd, EtcdRefused

Tell = Callable[[Sequence[str], int], None]
"""Told VIPs, and until when this node may hold them: 0 not at all."""
Wish = Sequence[tuple[frozenset[str], str]]
"""VIPs that go together, and who is to have them."""

AGAIN_MS = 50
"""Pause between attempts to get VIPs that another one has."""
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
        self._wanted: Wish = ()
        self._holders: dict[str, str] = {}
        """Of a VIP who is to have it: this node, or another one."""
        self._lease = 0
        self._until_ms = 0
        self._keep_at_ms = NEVER_MS
        self._again_ms = 0
        self._mine: set[str] = set()
        """VIPs that this node may hold, as far as it knows."""
        self._written: set[str] = set()
        """VIPs of which a key may be under our lease."""
        self.trouble = ""
        self.tell: Tell = lambda _vips, _until_ms: None

    @property
    def is_idle(self) -> bool:
        """Nothing in the cluster is this node's."""
        return not self._written

    def wants(self, wanted: Wish, now: Callable[[], int]) -> None:
        """Who is to have what: this node, or another one that it is handed over to."""
        self._wanted = wanted
        self._holders = {vip: holder for vips, holder in wanted for vip in vips}
        for vips, holder in wanted:
            if holder == self._node:
                self._holders.update(dict.fromkeys(vips, holder))
        self._tell(self._mine - self._others())
        self.work(now)

    def _others(self) -> set[str]:
        """Of those that this node may hold, or has written, what is not for it any more."""
        node, holders = self._node, self._holders
        return {vip for vip in self._mine | self._written if holders.get(vip) != node}

    def _tell(self, vips: Collection[str]) -> None:
        if vips:
            self.tell(sorted(vips), self._until_ms)

    def wake_ms(self) -> int:
        """When there is something to `work` at."""
        is_waiting = any(
            holder == self._node and not vips <= self._mine for vips, holder in self._wanted
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
        if self._mine:
            found = self._etcd.entries(self._prefix)
            still = {vip for vip in self._mine if self._is_mine(found.get(vip))}
            self._refuse(self._mine - still)
            self._tell(still)

    def _lose(self) -> None:
        """The lease has ended, and all keys with it."""
        self._lease = 0
        self._written.clear()
        self._refuse(self._mine)

    def _refuse(self, vips: Collection[str]) -> None:
        if vips:
            told = sorted(vips)
            self._mine.difference_update(told)
            self.tell(told, 0)

    def _get(self, now: Callable[[], int]) -> None:
        for vips, holder in self._wanted:
            missing = sorted(vips - self._mine)
            if holder == self._node and missing and now() < self._until_ms:
                self._take(missing)

    def _take(self, vips: Sequence[str]) -> None:
        """What nobody has, or is meant for this node, or was passed on and not taken."""
        before = len(self._mine)
        for part in _parts(vips):
            if not self._take_together(part):
                break
        if len(self._mine) > before:
            self._tell(self._mine.intersection(vips))

    def _take_together(self, vips: Sequence[str]) -> bool:
        self._written.update(vips)
        found = self._put(dict.fromkeys(vips, 0), self._node)
        if found is not None:
            if not all(self._is_meant(entry) for entry in found.values()):
                under_ours = {vip for vip, one in found.items() if self._is_under_ours(one)}
                self._written.difference_update(set(vips) - under_ours)
                return False
            known = {vip: found[vip].revision if vip in found else 0 for vip in vips}
            found = self._put(known, self._node)
        if found is None:
            self._mine.update(vips)
        return found is None

    def _give_away(self) -> None:
        """What is wanted no more, or is to be another's: told first, then written."""
        self._refuse(self._mine & self._others())
        leaving = self._written & self._others()
        if not leaving:
            return
        found = self._etcd.entries(self._prefix)
        to: dict[str, dict[str, int]] = {}
        for vip in sorted(leaving):
            entry, holder = found.get(vip), self._holders.get(vip, "")
            if entry is None or not self._is_under_ours(entry):
                self._written.discard(vip)
            elif entry.value != holder:
                to.setdefault(holder, {})[vip] = entry.revision
        for holder, known in to.items():
            for part in _parts(list(known)):
                self._pass_on({vip: known[vip] for vip in part}, holder)

    def _pass_on(self, known: dict[str, int], holder: str) -> None:
        """To the other director, or back to all."""
        if holder:
            self._put(known, holder)
        elif self._etcd.delete({self._key(vip): at for vip, at in known.items()}) is None:
            self._written.difference_update(known)

    def _put(self, known: dict[str, int], holder: str) -> dict[str, Entry] | None:
        keys = {self._key(vip): revision for vip, revision in known.items()}
        found = self._etcd.put(keys, holder, self._lease)
        if found is None:
            return None
        return {key.removeprefix(self._prefix): entry for key, entry in found.items()}

    def _is_meant(self, entry: Entry) -> bool:
        return entry.value == self._node or self._is_under_ours(entry)

    def _is_under_ours(self, entry: Entry) -> bool:
        return entry.lease == self._lease and self._lease != 0

    def _is_mine(self, entry: Entry | None) -> bool:
        return entry is not None and entry.value == self._node and self._is_under_ours(entry)

    def _key(self, vip: str) -> str:
        return f"{self._prefix}{vip}"


def _parts(vips: Sequence[str]) -> Iterator[Sequence[str]]:
    """As many as go into one transaction."""
    for begin in range(0, len(vips), MOST_KEYS):
        yield vips[begin : begin + MOST_KEYS]
