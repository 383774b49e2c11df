"""Giving VIPs up at once: close the fence, delete the addresses. Imports little.

This is what the guard does when the controller dies, and what a unit's ExecStopPost does.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Collection

from drctl.adapters import address_message as am
from drctl.adapters import nftables as nf
from drctl.adapters.netlink import NETLINK_ROUTE, Netlink
from drctl.errors import DrctlError, KernelRefused

ALIVE_SETS = ("alive_", "speak_")
"""How the names of the fence's *alive* sets begin."""

_PAUSES_S = (0.0, 0.005, 0.02, 0.1, 0.5, 1.0, 1.0)
"""Waited before each attempt; somebody else may be changing the same things."""


def close_fence(tables: nf.Tables, table_name: str) -> None:
    """Empty all *alive* sets of the tables of that name; without such a table nothing is done."""
    operation = "close the fence"
    refusal = (0, errno.EAGAIN, "others change it all the time")
    for pause_s in _PAUSES_S:
        time.sleep(pause_s)
        items = [
            nf.flush_set(family, table_name, name)
            for family, name in tables.sets(table_name)
            if family in nf.FAMILIES and name.startswith(ALIVE_SETS)
        ]
        if not items:
            return
        refused = tables.send(nf.batch(items), operation)
        if not refused:
            return
        refusal = refused[0]
    raise KernelRefused(operation, refusal[1], refusal[2])


def delete_addresses(netlink: Netlink, packed: Collection[bytes]) -> None:
    """Delete addresses from all interfaces, whatever their prefix; missing ones are no error."""
    left: list[tuple[am.KernelAddress, tuple[int, int, str]]] = []
    for pause_s in _PAUSES_S:
        time.sleep(pause_s)
        left = am.delete(netlink, packed)
        if not left:
            return
    address, (_, code, words) = left[0]
    more = f" and {len(left) - 1} more" if len(left) > 1 else ""
    raise KernelRefused(f"delete {address.address}/{address.prefix}{more}", code, words)


class Releaser:
    """Sockets held open, so that nothing has to be opened when it matters."""

    def __init__(self) -> None:
        self._route = Netlink(NETLINK_ROUTE)
        self.why_no_fence = ""
        self._tables: nf.Tables | None = None
        try:
            self._tables = nf.Tables()
        except KernelRefused as refused:
            self.why_no_fence = str(refused)

    def rehearse(self, table_name: str) -> None:
        """Go the same way without an effect, so that all of it is in memory.

        Where there is no nftables, `why_no_fence` says it from then on.
        """
        try:
            if self._tables is not None:
                list(self._tables.sets(table_name))
        except KernelRefused as refused:
            self._tables, self.why_no_fence = None, str(refused)
        am.delete(self._route, (bytes(4), bytes(16)))

    def release(self, table_name: str, packed: Collection[bytes]) -> list[DrctlError]:
        """Close the fence, then delete the addresses; each is tried whatever became of the other.

        What could not be done comes back.
        """
        failed: list[DrctlError] = []
        if table_name:
            if self._tables is None:
                failed.append(DrctlError(self.why_no_fence))
            else:
                try:
                    close_fence(self._tables, table_name)
                except DrctlError as refused:
                    failed.append(refused)
        if packed:
            try:
                delete_addresses(self._route, packed)
            except DrctlError as refused:
                failed.append(refused)
        return failed
