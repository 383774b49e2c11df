"""`drctl convert` of an lvs.cf with 10,000 real servers, against `keepalived -t` that reads the
result, in the same run. Goal: under 5 s."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from measure import best_seconds, row

ROUNDS = 3
VIRTUALS = 100
SERVERS_PER_VIRTUAL = 100


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


def main() -> None:
    """Print the times and the ratio."""
    with tempfile.TemporaryDirectory(prefix="drctl-bench-") as folder:
        file, out = Path(folder, "lvs.cf"), Path(folder, "out")
        file.write_text(configuration(), encoding="utf-8")
        program = str(Path(sys.executable).parent / "drctl")
        convert = [program, "convert", str(file), "-o", str(out), "--force"]
        name = f"drctl convert, {VIRTUALS * SERVERS_PER_VIRTUAL} real servers"
        seconds = best_seconds({name: convert}, ROUNDS)[name]
        dry = best_seconds({name: [*convert, "--dry-run"]}, ROUNDS)[name]
        keepalived = shutil.which("keepalived") or shutil.which("keepalived", path="/usr/sbin")
        if keepalived is None:
            print(f"{name}: {seconds:.2f} s; keepalived is not installed: no ratio against it")
            return
        conf = out / "primary" / "etc" / "keepalived" / "keepalived.conf"
        # keepalived exits with 5 where an interface is missing; the time it takes is what counts
        read = ["sh", "-c", f"'{keepalived}' -t -f '{conf}' || true"]
        peer = best_seconds({"peer": read}, ROUNDS)["peer"]
    print(row(name, seconds, "keepalived -t reads the result", peer))
    print(row(f"{name}, --dry-run", dry, "keepalived -t reads the result", peer))


if __name__ == "__main__":
    main()
