"""The client: sends requests to VIPs and knows which host served each."""

from __future__ import annotations

import json
import socket
import time

from drctl.lab.guest.listener import REQUEST, SERVED_BY
from drctl.lab.guest.shell import network_of, run
from drctl.lab.plan import Flow

_FAILED = ("FAILED", "INCOMPLETE", "NONE")


class Request:
    """One request; it holds its connection until closed."""

    def __init__(self, client: str, flow: Flow, limit_s: float) -> None:
        self.served_by: str | None = None
        self.failure: str | None = None
        is_udp = flow.protocol == "udp"
        with network_of(client):
            kind = socket.SOCK_DGRAM if is_udp else socket.SOCK_STREAM
            family = socket.AF_INET6 if ":" in flow.vip else socket.AF_INET
            self._socket = socket.socket(family, kind)
        self._socket.settimeout(limit_s)
        try:
            self._socket.connect((flow.vip, flow.port))
            self._socket.sendall(REQUEST)
            self.served_by = self._read(limit_s)
        except OSError as refused:
            self.failure = str(refused) or type(refused).__name__
        if self.served_by is None and self.failure is None:
            self.failure = "the answer did not say who served it"

    def _read(self, limit_s: float) -> str | None:
        """Read until a whole line says who served; None when the peer ends before that."""
        answer = b""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            chunk = self._socket.recv(4096)
            answer += chunk
            _, mark, after = answer.partition(SERVED_BY)
            if mark and b"\n" in after:
                return after.partition(b"\n")[0].decode()
            if not chunk:
                return None
        raise TimeoutError("timed out")

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def forget(client: str) -> None:
    """Empty the client's ARP table."""
    run("ip", "-n", client, "neigh", "flush", "all")


def learned(client: str, vip: str) -> str | None:
    """The MAC that the client's kernel sends packets for the VIP to."""
    for entry in json.loads(run("ip", "-n", client, "-j", "neigh", "show", "to", vip) or "[]"):
        if "lladdr" in entry and not set(entry.get("state", ())) & set(_FAILED):
            return str(entry["lladdr"])
    return None
