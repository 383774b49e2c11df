"""The operator's end of the control socket."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from drctl.errors import DrctlError

MOST_ANSWER_BYTES = 64 << 20
_READ_BYTES = 64 << 10


class NotAnswered(DrctlError):
    """The daemon could not be asked; the message says why and what to do."""


def ask(path: Path | str, request: dict[str, Any], timeout_s: float) -> dict[str, Any]:
    """Ask the daemon that listens on this socket; its answer. Raises `NotAnswered`."""
    end_s = time.monotonic() + timeout_s
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
        _connect(channel, path, timeout_s)
        try:
            channel.sendall(json.dumps(request, ensure_ascii=True).encode() + b"\n")
            line = _receive(channel, end_s)
        except TimeoutError as late:
            raise NotAnswered(f"no answer on {path} within {timeout_s:g} s") from late
        except OSError as cause:
            raise NotAnswered(f"drctl run ended while it was asked: {cause.strerror}") from cause
    if not line.endswith(b"\n"):
        raise NotAnswered(f"drctl run ended while it was asked (on {path})")
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError) as wrong:
        raise NotAnswered(f"what answers on {path} is no drctl: {wrong}") from wrong
    if not isinstance(answer, dict):
        raise NotAnswered(f"what answers on {path} is no drctl: it sent no JSON object")
    return answer


def _connect(channel: socket.socket, path: Path | str, timeout_s: float) -> None:
    channel.settimeout(timeout_s)
    try:
        channel.connect(os.fspath(path))
    except (FileNotFoundError, ConnectionRefusedError) as cause:
        why = (
            "there is no such socket" if isinstance(cause, FileNotFoundError) else "nobody listens"
        )
        message = f"drctl run does not answer on {path}: {why}; start it, or name its socket"
        raise NotAnswered(f"{message} by --control") from cause
    except PermissionError as cause:
        message = f"no permission for {path}: ask as root, as which drctl runs"
        raise NotAnswered(message) from cause
    except TimeoutError as late:
        raise NotAnswered(f"no answer on {path} within {timeout_s:g} s") from late
    except OSError as cause:
        raise NotAnswered(f"cannot connect to {path}: {cause.strerror or cause}") from cause


def _receive(channel: socket.socket, end_s: float) -> bytes:
    """One line; what came of it when the other end closes."""
    received = bytearray()
    while not received.endswith(b"\n"):
        left_s = end_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        channel.settimeout(left_s)
        piece = channel.recv(_READ_BYTES)
        if not piece:
            break
        received += piece
        if len(received) > MOST_ANSWER_BYTES:
            raise NotAnswered(f"an answer of more than {MOST_ANSWER_BYTES} bytes")
    return bytes(received)
