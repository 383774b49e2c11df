"""Commands that come through a guest's door: what they say, get and end with, and that they end
with their callers."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from drctl.lab.door.frames import MOST_BYTES, Frames, Kind, Start, send, send_told
from drctl.lab.door.server import serve

LIMIT_S = 20.0
ENDED_BY_SIGNALS = ("env", "--default-signal=HUP,INT")
"""Whoever runs the tests may ignore them, and so would what they start."""


class Caller:
    """Has a command run at the other end of a socket."""

    def __init__(self, connection: socket.socket, *words: str, **other: object) -> None:
        self.connection = connection
        fields = {"environment": {}, "folder": "/", "size": None, **other}
        send(connection, Kind.START, Start(words, **fields).to_bytes())  # type: ignore[arg-type]
        self._frames = Frames()
        self.said: dict[Kind, bytes] = {Kind.OUTPUT: b"", Kind.ERRORS: b""}
        self.code: int | None = None

    def hear(self) -> bool:
        """Something more; whether there may be more."""
        received = self.connection.recv(MOST_BYTES)
        for kind, data in self._frames.of(received):
            if kind is Kind.ENDED:
                self.code = json.loads(data)
            else:
                self.said[kind] += data
        return bool(received) and self.code is None

    def ended(self) -> tuple[int | None, bytes, bytes]:
        """Its exit code, and what it wrote to standard output and to standard error."""
        while self.hear():
            pass
        return self.code, self.said[Kind.OUTPUT], self.said[Kind.ERRORS]

    def until(self, text: bytes) -> None:
        """It has said this."""
        while text not in self.said[Kind.OUTPUT]:
            assert self.hear(), self.said


@contextmanager
def calling(*words: str, **other: object) -> Iterator[Caller]:
    """A command at the door."""
    inside, outside = socket.socketpair()
    thread = threading.Thread(target=serve, args=(inside,))
    thread.start()
    try:
        with outside:
            outside.settimeout(LIMIT_S)
            yield Caller(outside, *words, **other)
    finally:
        thread.join(LIMIT_S)
    assert not thread.is_alive()


def test_output_errors_and_exit_code_are_told_apart() -> None:
    with calling("sh", "-c", "echo out; echo err >&2; exit 7") as caller:
        assert caller.ended() == (7, b"out\n", b"err\n")


def test_input_of_any_length_arrives_as_it_was_and_ends() -> None:
    data = random.Random(1).randbytes(3_000_000)
    with calling("cat") as caller:

        def give() -> None:
            for start in range(0, len(data), MOST_BYTES):
                send(caller.connection, Kind.INPUT, data[start : start + MOST_BYTES])
            send(caller.connection, Kind.END_OF_INPUT)

        giver = threading.Thread(target=give)
        giver.start()
        code, said, _ = caller.ended()
        giver.join()
    assert (code, said == data) == (0, True)


def test_command_that_reads_no_input_ends_all_the_same() -> None:
    with calling("true") as caller:
        with suppress(BrokenPipeError):
            send(caller.connection, Kind.INPUT, b"x" * MOST_BYTES)
        assert caller.ended()[0] == 0


def test_command_that_is_not_there_is_refused_with_the_reason() -> None:
    with calling("/not/there") as caller:
        assert caller.ended() == (126, b"", b"/not/there: No such file or directory\n")


def test_signal_that_ended_it_is_told_as_a_shell_does() -> None:
    with calling("sh", "-c", "kill -TERM $$") as caller:
        assert caller.ended()[0] == 128 + signal.SIGTERM


def test_it_runs_in_the_callers_folder_with_what_was_passed_on(tmp_path: Path) -> None:
    other = {"folder": str(tmp_path), "environment": {"TERM": "vt52"}}
    with calling("sh", "-c", "pwd; echo $TERM", **other) as caller:
        assert caller.ended()[1] == f"{tmp_path}\nvt52\n".encode()
    with calling("pwd", folder=str(tmp_path / "gone")) as caller:
        assert caller.ended()[1] == b"/\n"


def test_terminal_has_the_callers_size_and_follows_it() -> None:
    with calling("sh", "-c", "stty size; read x; stty size; tty", size=(33, 101)) as caller:
        caller.until(b"33 101")
        send_told(caller.connection, Kind.SIZE, (44, 111))
        send(caller.connection, Kind.INPUT, b"\n")
        code, said, _ = caller.ended()
    assert (code, b"44 111" in said, b"/dev/pts/" in said) == (0, True, True), said


def test_interrupt_typed_at_the_terminal_is_the_commands() -> None:
    words = (*ENDED_BY_SIGNALS, "sh", "-c", "echo on; exec sleep 60")
    with calling(*words, size=(24, 80)) as caller:
        caller.until(b"on")
        send(caller.connection, Kind.INPUT, b"\x03")
        assert caller.ended()[0] == 128 + signal.SIGINT


@pytest.mark.parametrize("size", [None, (24, 80)])
@pytest.mark.parametrize("unread", [0, 100])
def test_command_is_hung_up_on_when_its_caller_is_gone(
    size: tuple[int, int] | None, unread: int
) -> None:
    program = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    with calling(*ENDED_BY_SIGNALS, sys.executable, "-c", program, size=size) as caller:
        caller.until(b"\n")
        pid = int(caller.said[Kind.OUTPUT])
        caller.connection.setblocking(False)
        with suppress(BlockingIOError):
            for _ in range(unread):
                send(caller.connection, Kind.INPUT, b"y\n" * 10_000)
        caller.connection.close()
    # `calling` has waited for its end
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_frames_are_the_same_however_they_arrive() -> None:
    sent = [(Kind.OUTPUT, b"a" * 70_000), (Kind.ERRORS, b""), (Kind.ENDED, b"0")]
    inside, outside = socket.socketpair()
    with inside, outside:
        whole = b""

        def give() -> None:
            for kind, data in sent:
                send(inside, kind, data)

        giver = threading.Thread(target=give)
        giver.start()
        while len(whole) < sum(len(data) + 5 for _, data in sent):
            whole += outside.recv(MOST_BYTES)
        giver.join()
    for step in (1, 3, 4_096, len(whole)):
        frames = Frames()
        parts = [whole[start : start + step] for start in range(0, len(whole), step)]
        assert [one for part in parts for one in frames.of(part)] == sent


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="a frame of"):
        Frames().of(b"\x02\xff\xff\xff\xff")
    with pytest.raises(ValueError, match="is not a valid Kind"):
        Frames().of(b"\x63\x00\x00\x00\x00")
