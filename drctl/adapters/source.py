"""Which of this host's own addresses a question is asked from. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface

MOST_CHOSEN = 256


class Sources:
    """Own addresses of one interface and family, VIPs not among them: those may move."""

    def __init__(self) -> None:
        self._own: list[Interface] = []
        self._chosen: dict[str, bytes | None] = {}

    def put(self, own: Iterable[tuple[str, int]]) -> None:
        """Set the addresses, with their prefix lengths."""
        self._own = [ipaddress.ip_interface(f"{address}/{prefix}") for address, prefix in own]
        self._chosen = {}

    def towards(self, target: str) -> bytes | None:
        """The address in the smallest subnet that `target` is in too, or else the first; None
        where there is none."""
        if target not in self._chosen:
            if len(self._chosen) == MOST_CHOSEN:
                self._chosen.clear()
            self._chosen[target] = self._choose(target)
        return self._chosen[target]

    def _choose(self, target: str) -> bytes | None:
        address = ipaddress.ip_address(target)
        near = [own for own in self._own if address in own.network]
        chosen = max(near, key=lambda own: own.network.prefixlen, default=None)
        if chosen is None and self._own:
            chosen = self._own[0]
        return chosen.packed if chosen is not None else None
