"""drctl-check, start and end included, against an empty Python program on the same machine in the
same run. Goal: under 50 ms, since a director starts one for every real server and interval."""

from __future__ import annotations

import socket
import sys
import threading
from pathlib import Path

from measure import best_costs, row

ROUNDS = 25
GOAL_S = 0.05
PROGRAM = Path(__file__).resolve().parent.parent / "templates" / "check" / "drctl-check"
PYTHON = "/usr/bin/python3"


def answer(listener: socket.socket) -> None:
    """Greet every client until the listener is closed."""
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        with client:
            client.sendall(b"220 ready\r\n")


def main() -> int:
    """Print the times and ratios; 1 when the goal is missed."""
    peer = "python3 -IS -c pass"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        port = str(listener.getsockname()[1])
        tcp = [str(PROGRAM), "tcp", "127.0.0.1", port]
        commands = {
            "drctl-check tcp, expect": [*tcp, "--expect=220"],
            "drctl-check tcp, regex": [*tcp, "--regex=22[0-9]"],
            "drctl-check program": [str(PROGRAM), "program", "127.0.0.1", port, "--", "/bin/true"],
            peer: [PYTHON, "-IS", "-c", "pass"],
        }
        costs = best_costs(commands, ROUNDS)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    names = [name for name in commands if name != peer]
    for name in names:
        print(row(name, costs[name], peer, costs[peer]))
    missed = [name for name in names if costs[name].wall_s >= GOAL_S]
    if missed:
        print(f"slower than {GOAL_S * 1000:.0f} ms: {', '.join(missed)}")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
