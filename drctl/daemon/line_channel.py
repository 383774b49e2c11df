"""JSON objects, one a line, over a stream socket, by ends of which neither waits for the other."""

from __future__ import annotations

import json
import socket
from collections import deque
from typing import Any

from drctl.errors import DrctlError

MOST_LINES = 10_000
MOST_BYTES = 8 << 20
_READ_BYTES = 256 << 10
_SENT_AT_ONCE = 64


class ChannelEnded(DrctlError):
    """The other end is closed."""


def line_of(message: dict[str, Any]) -> bytes:
    """A message as it is sent."""
    return json.dumps(message, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


class LineChannel:
    """One end. What cannot be sent yet is kept, up to MOST_LINES and MOST_BYTES; what comes then is
    dropped, and counted in `dropped`."""

    def __init__(self, channel: socket.socket) -> None:
        channel.setblocking(False)
        self._channel = channel
        self._received = bytearray()
        self.waiting: deque[bytes] = deque()
        """Lines that are not sent, or not wholly."""
        self._waiting_bytes = 0
        self._sent_bytes = 0
        """How much of the first of them is sent."""
        self.dropped = 0

    def fileno(self) -> int:
        return self._channel.fileno()

    def close(self) -> None:
        self._channel.close()

    def put(self, message: dict[str, Any]) -> bool:
        """Send it, now or later. False when it had to be dropped."""
        return self.put_line(line_of(message))

    def put_line(self, line: bytes) -> bool:
        """The same with a message that is a line already."""
        if len(self.waiting) >= MOST_LINES or self._waiting_bytes + len(line) > MOST_BYTES:
            self.dropped += 1
            return False
        self.waiting.append(line)
        self._waiting_bytes += len(line)
        self.flush()
        return True

    def flush(self) -> bool:
        """Send what can be sent without waiting; whether that was all. An end that is closed takes
        nothing, and is noticed by `receive`."""
        while self.waiting:
            lines = [self.waiting[at] for at in range(min(_SENT_AT_ONCE, len(self.waiting)))]
            lines[0] = lines[0][self._sent_bytes :]
            try:
                sent = self._channel.sendmsg(lines, (), socket.MSG_NOSIGNAL)
            except OSError:
                return False
            self._sent_bytes += sent
            while self.waiting and self._sent_bytes >= len(self.waiting[0]):
                line = self.waiting.popleft()
                self._sent_bytes -= len(line)
                self._waiting_bytes -= len(line)
        return True

    def receive(self) -> list[dict[str, Any]]:
        """What has come. Raises `ChannelEnded` when there will never be more."""
        try:
            received = self._channel.recv(_READ_BYTES)
        except BlockingIOError:
            return []
        except OSError as cause:
            raise ChannelEnded(f"the channel is broken: {cause.strerror}") from cause
        if not received:
            raise ChannelEnded("the other end is closed")
        self._received += received
        *lines, rest = self._received.split(b"\n")
        self._received = rest
        if len(rest) > MOST_BYTES:
            raise ChannelEnded(f"a line of more than {MOST_BYTES} bytes")
        return [json.loads(line) for line in lines]

    def end(self) -> None:
        """Send nothing more: the other end reads what was sent, then the end."""
        try:
            self._channel.shutdown(socket.SHUT_WR)
        except OSError:
            return  # it has gone already
