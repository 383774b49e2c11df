"""`drctl convert` of an lvs.cf with 10,000 real servers, against `keepalived -t` that reads the
result, in the same run. Goal: under 5 s."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from measure import NEVER, best, cost_of, keepalived, row, verdict

ROUNDS = 3
GOAL_S = 5.0
VIRTUALS = 100
SERVERS_PER_VIRTUAL = 100
NAME = f"drctl convert, {VIRTUALS * SERVERS_PER_VIRTUAL} real servers"
PEER = "keepalived -t reads the result"
CONVERT = [str(Path(sys.executable).parent / "drctl"), "convert"]


def configuration() -> str:
    """An lvs.cf with 100 virtual services of 100 real servers each, each server one machine."""
    lines = ["serial_no = 1", "primary = 192.0.2.1", "backup = 192.0.2.2", "backup_active = 1"]
    lines += ["service = lvs", "keepalive = 6", "deadtime = 18", "network = direct"]
    for virtual in range(VIRTUALS):
        lines += [f"virtual web{virtual} {{", "     active = 1"]
        lines += [f"     address = 192.0.2.{100 + virtual} eth0:{virtual + 1}", "     port = 80"]
        lines += ["     vip_nmask = 255.255.255.0", '     send = "GET / HTTP/1.0\\r\\n\\r\\n"']
        lines += ['     expect = "HTTP"', "     scheduler = wlc", "     protocol = tcp"]
        for server in range(SERVERS_PER_VIRTUAL):
            lines += [f"     server s{virtual}-{server} {{"]
            lines += [f"         address = 10.{virtual}.0.{server + 1}"]
            lines += ["         active = 1", "         weight = 1", "     }"]
        lines += ["}"]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Print the costs and ratios; 1 when the goal is missed."""
    peer_path = keepalived()
    written = NEVER
    for place, rounds in places().items():
        with tempfile.TemporaryDirectory(prefix="drctl-bench-", dir=place) as folder:
            file = Path(folder, "lvs.cf")
            file.write_text(configuration(), encoding="utf-8")
            for number in range(rounds):
                cost = cost_of([*CONVERT, str(file), "-o", f"{folder}/out{number}"])
                written = best(written, cost)
                print(f"{NAME}, to {place}: {cost.wall_s:.2f} s (CPU {cost.cpu_s:.2f} s)")
            dry = cost_of([*CONVERT, str(file), "--dry-run"])
            conf = f"{folder}/out0/primary/etc/keepalived/keepalived.conf"
            # 5: an interface is missing; the time that reading takes is what counts
            peer = NEVER if peer_path is None else cost_of([peer_path, "-t", "-f", conf], (0, 5))
    if peer_path is None:
        print("keepalived is not installed: no ratio against it")
    else:
        print(row(NAME, written, PEER, peer))
        print(row(f"{NAME}, --dry-run", dry, PEER, peer))
    return int(not verdict(NAME, written, GOAL_S))


def places() -> dict[str, int]:
    """Folders to write to and how often: in memory, where nothing but the program counts, and
    once on the disk, where 150,000 files and folders are most of the work."""
    memory = Path("/dev/shm")
    on_disk = {tempfile.gettempdir(): 1}
    return {str(memory): ROUNDS, **on_disk} if os.access(memory, os.W_OK) else on_disk


if __name__ == "__main__":
    sys.exit(main())
