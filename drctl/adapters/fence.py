"""The fence: a group's VIPs answer and accept only while its *alive* elements live in the kernel.

Each opening and renewal is a lease of `fence_ms` that the kernel ends by itself, whatever became
of this process. Nothing here decides: it opens, renews and closes what it is told to. Raw sockets
pass the fence.
"""

from __future__ import annotations

import errno
import struct
import time
from collections.abc import Collection, Mapping, Sequence
from enum import Enum

from drctl.adapters import nftables as nf
from drctl.adapters.fence_change import Found, changes, is_bent, read_tables
from drctl.adapters.fence_layout import Layout, Place, layouts, places
from drctl.adapters.netlink import NETLINK_NETFILTER, Netlink, attributes, bpf, cstring
from drctl.core.value import Vip
from drctl.errors import DrctlError, KernelRefused

_TRIES = 5
_NFTABLES_NOTIFICATIONS = 7
_SUBSYSTEM = 10
_PROBED = (Vip("192.0.2.1", 32, "lo"), Vip("2001:db8::1", 128, "lo"))


_DEEDS = {
    nf.DELTABLE: "table deleted", nf.NEWTABLE: "table changed", nf.DELCHAIN: "chain deleted",
    nf.NEWCHAIN: "chain changed", nf.NEWRULE: "rule added", nf.DELRULE: "rule deleted",
    nf.DELSET: "set deleted", nf.NEWSETELEM: "element added", nf.DELSETELEM: "element deleted",
}  # fmt: skip


class Gate(Enum):
    """How a group stands. `SHUT`: packets are accepted, but ARP and ND are silent."""

    CLOSED = "closed"
    SHUT = "shut"
    OPEN = "open"


class FenceGone(DrctlError):
    """The fence's table is not in the kernel any more: somebody deleted it."""

    def __init__(self, operation: str) -> None:
        self.operation = operation
        self.errno = errno.ENOENT
        super().__init__(f"cannot {operation}: its table is gone from the kernel")


class Fence:
    """The fence in this network namespace; `fence_ms` is the lease of one opening or renewal."""

    def __init__(self, table_name: str = "drctl", fence_ms: int = 500) -> None:
        assert fence_ms > 0, "a fence without a lease is none"
        self.table_name = table_name
        self.fence_ms = fence_ms
        self._tables = nf.Tables()
        self._watch = FenceWatch(table_name, self._tables.port)
        self._groups: dict[str, tuple[Vip, ...]] = {}
        self._places: dict[str, tuple[Place, ...]] = {}
        self._gates: dict[str, Gate] = {}
        self._leased_ms: dict[str, int] = {}
        self._renewals: dict[str, bytes] = {}

    def close_sockets(self) -> None:
        """Give back the sockets; the kernel's tables stay as they are."""
        self._tables.close()
        self._watch.close()

    def prepare(
        self,
        groups: Mapping[str, Sequence[Vip]],
        open_groups: Collection[str] = (),
        shut_groups: Collection[str] = (),
    ) -> bool:
        """Have exactly these groups fenced; open, or shut, those that are said to be.

        Replaces only what differs; a group that is open stays so without a gap. One that this
        object has opened before does not get a new lease by this, only what is left of its own; if
        that is over it stays closed. One that an earlier process fenced, and that has closed since,
        stays closed too. Whether anything was changed. Raises `KernelRefused`.
        """
        gates = dict.fromkeys(groups, Gate.CLOSED)
        gates.update(dict.fromkeys(shut_groups, Gate.SHUT))
        gates.update(dict.fromkeys(open_groups, Gate.OPEN))
        assert gates.keys() == groups.keys(), "a group that is not fenced cannot be open"
        return self._settle({name: tuple(vips) for name, vips in groups.items()}, gates)

    def prepare_group(self, group: str, vips: Sequence[Vip], gate: Gate = Gate.CLOSED) -> bool:
        """The same for one group, beside those that are fenced already."""
        return self._settle({**self._groups, group: tuple(vips)}, {**self._gates, group: gate})

    def use_lease(self, fence_ms: int) -> None:
        """Another lease for all openings and renewals from now on; what is open ends when it would
        have. To be followed by `prepare`."""
        assert fence_ms > 0, "a fence without a lease is none"
        shorter_ms = self.fence_ms - fence_ms
        self._leased_ms = {name: at + shorter_ms for name, at in self._leased_ms.items()}
        self.fence_ms = fence_ms

    def open(self, group: str) -> None:
        """Let the group answer and accept for one lease from now. Raises `FenceGone`."""
        now_ms = _now_ms()
        items: list[nf.Item] = []
        for place in self._places[group]:
            items += nf.lease(place.family, self.table_name, place.name, self.fence_ms)
        self._gates[group] = Gate.CLOSED
        self._send(items, f"open the fence of {group}")
        self._set_gate(group, Gate.OPEN, now_ms)

    def renew(self, group: str) -> bool:
        """Extend the lease of a group that is open, or shut, to one full lease from now.

        False when the lease was over: then nothing is extended and the group is closed. Raises
        `FenceGone` when it was not the lease that ended, but the table.
        """
        renewal = self._renewals.get(group)
        if renewal is None:
            return False
        now_ms = _now_ms()
        operation = f"renew the fence of {group}"
        refused = self._tables.send(renewal, operation)
        if not refused:
            self._leased_ms[group] = now_ms
            return True
        _raise_unless_missing(refused, operation)
        for place in self._places[group]:
            if not self._tables.has_set(place.family, self.table_name, place.name):
                raise FenceGone(operation)
        self.close(group)
        return False

    def close(self, group: str) -> None:
        """Neither answers nor packets. Raises `FenceGone`: then nothing holds them back."""
        self._set_gate(group, Gate.CLOSED, 0)
        self._flush(self._places[group], f"close the fence of {group}")

    def shut_arp(self, group: str) -> None:
        """Silence the group in ARP and ND; packets are accepted until the lease ends."""
        talking = [place for place in self._places[group] if place.is_talk]
        leased_ms = self._leased_ms.get(group, 0)
        was_closed = self._gates[group] is Gate.CLOSED
        self._flush(talking, f"shut the fence of {group} for arp")
        if not was_closed:
            self._set_gate(group, Gate.SHUT, leased_ms)

    def state(self) -> dict[str, Gate]:
        """How the groups stand in the kernel. Raises `FenceGone` if it has not all that is needed.

        A group whose sets are not all open, or all but those for ARP and ND, counts as closed.
        """
        found = read_tables(self._tables, self.table_name)
        if self._differs(found):
            raise FenceGone("read the state of the fence")
        return {group: self._gate_in(found, group) for group in self._groups}

    def left_ms(self, group: str) -> int:
        """Milliseconds that the kernel still lets the group's packets in, 0 when closed."""
        found = read_tables(self._tables, self.table_name)
        return min(
            found[place.family].lives.get(place.name, 0) if place.family in found else 0
            for place in self._places[group]
            if not place.is_talk
        )

    def remove(self) -> None:
        """Take the fence out of the kernel: nothing is held back any more."""
        self._groups, self._places = {}, {}
        self._gates, self._leased_ms, self._renewals = {}, {}, {}
        operation = "remove the fence"
        for _ in range(_TRIES):
            families = nf.FAMILIES.keys() & self._tables.tables(self.table_name).keys()
            if not families:
                return
            items = [nf.del_table(family, self.table_name) for family in families]
            refused = self._tables.send(nf.batch(items), operation)
            if refused and refused[0][1] != errno.ENOENT:
                raise KernelRefused(operation, refused[0][1], refused[0][2])
        raise KernelRefused(operation, errno.EAGAIN, "others make it again")

    def is_present(self) -> bool:
        """A fence of that name is in the kernel, from this process or an earlier one."""
        return bool(self._tables.tables(self.table_name))

    def fileno(self) -> int:
        """Readable when there may be `events`."""
        return self._watch.fileno()

    def events(self) -> list[str]:
        """What others did to our tables since the last call, in words; one's own deeds are not
        among them. Such an event asks for a `prepare`."""
        return self._watch.events()

    def _settle(self, groups: dict[str, tuple[Vip, ...]], gates: dict[str, Gate]) -> bool:
        before = (self._groups, self._places)
        for group in [name for name, found in self._places.items() if not found]:
            # without a VIP it had nothing that could be open
            self._leased_ms.pop(group, None)
        self._groups = groups
        self._places = {group: places(group, vips) for group, vips in groups.items()}
        now_ms = _now_ms()
        try:
            is_changed = self._make(layouts(groups), gates)
        except KernelRefused:
            self._groups, self._places = before
            raise
        leased = {group: self._leased_ms.get(group, now_ms) for group in groups}
        self._gates, self._leased_ms, self._renewals = {}, {}, {}
        for group, gate in gates.items():
            self._set_gate(group, gate, leased[group])
        return is_changed

    def _make(self, wanted: dict[int, Layout], gates: dict[str, Gate]) -> bool:
        """Have it so in the kernel, in one transaction; whether anything was changed."""
        operation = "set up the fence"
        for _ in range(_TRIES):
            now_ms = _now_ms()
            generation = self._tables.generation()
            found = read_tables(self._tables, self.table_name)
            whole = {
                family: of
                for family, of in found.items()
                if family in wanted and not is_bent(of, wanted[family])
            }
            lives = self._lives(gates, whole, now_ms)
            items = changes(self.table_name, found, wanted, lives)
            if not items:
                return False
            refused = self._tables.send(nf.batch(items, generation=generation), operation)
            if not refused:
                return True
            if refused[0][1] != errno.ERESTART:
                raise KernelRefused(operation, refused[0][1], refused[0][2])
        raise KernelRefused(operation, errno.EAGAIN, "others change their rules all the time")

    def _lives(
        self, gates: Mapping[str, Gate], whole: Mapping[int, Found], now_ms: int
    ) -> dict[tuple[int, str], int]:
        """For how long each *alive* set is to be open; those that live and may are left out."""
        lives = {}
        for group, gate in gates.items():
            leased_ms = self._leased_ms.get(group)
            left_ms = self.fence_ms
            if leased_ms is not None:
                left_ms = max(0, leased_ms + self.fence_ms - now_ms)
            for place in self._places[group]:
                is_kept = place.family in whole and place.name in whole[place.family].lives
                was_there = place.family in whole and place.name in whole[place.family].sets
                is_lapsed = leased_ms is None and was_there and not is_kept
                if not _passes(gate, place) or is_lapsed:
                    lives[place.family, place.name] = 0
                elif not is_kept or leased_ms is None:
                    lives[place.family, place.name] = left_ms
        return lives

    def _set_gate(self, group: str, gate: Gate, leased_ms: int) -> None:
        """Remember how a group stands, and what its renewal is."""
        self._gates[group] = gate
        self._renewals.pop(group, None)
        self._leased_ms.pop(group, None)
        if gate is Gate.CLOSED:
            return
        self._leased_ms[group] = leased_ms
        items: list[nf.Item] = []
        for place in self._places[group]:
            if _passes(gate, place):
                of = (place.family, self.table_name, place.name)
                items += (nf.del_alive(*of), nf.new_alive(*of, self.fence_ms))
        if items:
            self._renewals[group] = nf.batch(items)

    def _flush(self, closed: Sequence[Place], operation: str) -> None:
        self._send(
            [nf.flush_set(place.family, self.table_name, place.name) for place in closed], operation
        )

    def _send(self, items: Sequence[nf.Item], operation: str) -> None:
        """A transaction on what has to be there; a group without VIPs needs none."""
        if not items:
            return
        refused = self._tables.send(nf.batch(items), operation)
        if refused:
            _raise_unless_missing(refused, operation)
            raise FenceGone(operation)

    def _differs(self, found: Mapping[int, Found]) -> bool:
        lives: dict[tuple[int, str], int] = {}
        return bool(changes(self.table_name, found, layouts(self._groups), lives))

    def _gate_in(self, found: Mapping[int, Found], group: str) -> Gate:
        living = {place: place.name in found[place.family].lives for place in self._places[group]}
        for gate in (Gate.OPEN, Gate.SHUT):
            if living and all(
                is_alive == _passes(gate, place) for place, is_alive in living.items()
            ):
                return gate
        return Gate.CLOSED


class FenceWatch:
    """Notifications about the fence's tables that somebody else caused."""

    def __init__(self, table_name: str, own_port: int) -> None:
        self.table_name = table_name
        self._netlink = Netlink(NETLINK_NETFILTER, groups=(_NFTABLES_NOTIFICATIONS,))
        port = int.from_bytes(struct.pack("=I", own_port), "big")
        # nlmsg_pid, at offset 12, is the port of whoever did it
        self._netlink.attach_filter(
            bpf([(0x20, 0, 0, 12), (0x15, 0, 1, port), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF)])
        )

    def fileno(self) -> int:
        return self._netlink.fileno()

    def close(self) -> None:
        self._netlink.close()

    def events(self) -> list[str]:
        """What was done, each once; an overrun counts as something done."""
        found: dict[str, None] = {}
        try:
            for received in self._netlink.read():
                deed = _DEEDS.get(received.kind & 0xFF)
                if received.kind >> 8 != _SUBSYSTEM or deed is None:
                    continue
                family = nf.FAMILIES.get(received.body[0])
                table = cstring(attributes(received.body[4:]).get(1, b""))
                if family and table == self.table_name:
                    found[f"{family} {table}: {deed}"] = None
        except KernelRefused as lost:
            if lost.errno != errno.ENOBUFS:
                raise
            found["notifications were lost"] = None
        return list(found)


def unusable_reason() -> str:
    """Why there can be no fence in this kernel, or with these rights; empty when there can.

    Asks by a transaction that makes all kinds of objects that a fence has, and deletes them again:
    nothing is left, and no packet ever sees them.
    """
    name = "drctl_probe"
    made = changes(name, {}, layouts({"probe": _PROBED}), {})
    made += [nf.del_table(family, name) for family in nf.FAMILIES]
    try:
        tables = nf.Tables()
        try:
            refused = tables.send(nf.batch(made), "make an nftables table")
        finally:
            tables.close()
    except KernelRefused as cause:
        if cause.errno == errno.EPROTONOSUPPORT:
            return "this kernel has no nftables (CONFIG_NETFILTER_NETLINK)"
        return str(cause)
    if not refused:
        return ""
    sequence, number, words = refused[0]
    if number == errno.EPERM:
        return "no right to use nftables (CAP_NET_ADMIN)"
    if sequence == 0:
        return "this kernel has no nftables (CONFIG_NF_TABLES)"
    family = nf.FAMILIES[made[sequence - 1][2]]
    return str(KernelRefused(f"make an nftables table of family {family}", number, words))


def _passes(gate: Gate, place: Place) -> bool:
    """Whether the set is to have its element when a group stands so."""
    return gate is Gate.OPEN or (gate is Gate.SHUT and not place.is_talk)


def _raise_unless_missing(refused: Sequence[tuple[int, int, str]], operation: str) -> None:
    for _, number, words in refused:
        if number != errno.ENOENT:
            raise KernelRefused(operation, number, words)


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
