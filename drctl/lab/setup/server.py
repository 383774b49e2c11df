"""A real server's programs: on each port that a service or a check asks. Runs until it is killed.

`python -m drctl.lab.setup.server HOST FILE`, in the host's namespace; FILE has the listeners.
"""

from __future__ import annotations

import json
import signal
import socket
import sys
from pathlib import Path

from drctl.lab.guest.listener import bound, serve
from drctl.lab.guest.shell import GuestError
from drctl.lab.plan import Listener

READY = b"listening\n"


def main(host: str, path: str) -> int:
    """Listen, say so, and serve."""
    try:
        for raw in json.loads(Path(path).read_text("utf-8")):
            listener = Listener(**raw)
            for family in (socket.AF_INET, socket.AF_INET6):
                serve(bound(host, listener, family), host, listener)
    except (GuestError, OSError) as refused:
        print(f"{host}: {refused}", file=sys.stderr)
        return 1
    sys.stdout.buffer.write(READY)
    sys.stdout.flush()
    while True:
        signal.pause()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
