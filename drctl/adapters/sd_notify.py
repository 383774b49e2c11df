"""Tells systemd how the service is: the protocol of sd_notify(3), without its library."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping

_LONGEST_STATUS = 200


class SdNotify:
    """Sends to the socket that the environment names; does nothing where there is none.

    Nothing here waits. `problem` is why the last message was not sent, "" when it was. The two
    variables are taken out of the environment, so that no other program inherits them.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        given = os.environ if environment is None else environment
        self.problem = ""
        self.watchdog_ms = _watchdog_ms(given)
        """How often systemd wants to hear of it at least; 0 when it does not. Half of what the unit
        says."""
        self._next_watchdog_ms = 0
        self._told = ""
        self._socket: socket.socket | None = None
        self._address = _address(given.get("NOTIFY_SOCKET", ""))
        if environment is None:
            for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
                os.environ.pop(name, None)
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)

    @property
    def is_wanted(self) -> bool:
        return self._socket is not None

    def ready(self, status: str = "") -> None:
        """The service has started, or has finished a reload."""
        self._send("READY=1", status)

    def reloading(self, now_us: int) -> None:
        """It reads its configuration again; `now_us` is CLOCK_MONOTONIC."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={now_us}", "")

    def status(self, status: str) -> None:
        """A line for `systemctl status`; told when it is another one than before."""
        if status != self._told:
            self._send("", status)

    def watchdog(self) -> None:
        """It lives: to be called with every turn of a loop. Told as often as systemd wants it."""
        now_ms = time.monotonic_ns() // 1_000_000
        if self.watchdog_ms and now_ms >= self._next_watchdog_ms:
            self._next_watchdog_ms = now_ms + self.watchdog_ms
            self._send("WATCHDOG=1", "")

    def stopping(self, status: str = "") -> None:
        """It begins to end."""
        self._send("STOPPING=1", status)

    def _send(self, state: str, status: str) -> None:
        if self._socket is None:
            return
        line = " ".join(status.split())[:_LONGEST_STATUS]
        message = "\n".join([part for part in (state, f"STATUS={line}" if line else "") if part])
        try:
            self._socket.sendto(message.encode(), self._address)
            self.problem = ""
            self._told = status or self._told
        except OSError as cause:
            self.problem = f"cannot tell systemd: {cause.strerror or cause}"


def _address(text: str) -> str:
    """A path, or with a first NUL the name of an abstract socket; "" for what is neither."""
    if text.startswith("@"):
        return "\0" + text[1:]
    return text if text.startswith("/") else ""


def _watchdog_ms(environment: Mapping[str, str]) -> int:
    pid = environment.get("WATCHDOG_PID", "")
    usec = environment.get("WATCHDOG_USEC", "")
    if not usec.isdecimal() or (pid and pid != str(os.getpid())):
        return 0
    return int(usec) // 2000
