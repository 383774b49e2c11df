"""Runs benchmarks of bench/, one after the other; each prints ratios against a peer.

python tools/bench.py [NAME ...]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent / "bench"
NOT_BENCHMARKS = frozenset({"bare_heartbeat", "failover_pairs", "failover_rows", "measure"})


def main() -> int:
    """The exit code is 1 when one of them failed."""
    every = sorted({one.stem for one in BENCH.glob("*.py")} - NOT_BENCHMARKS)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(every)} (all)")
    wanted = parser.parse_args().names or every
    if unknown := [name for name in wanted if name not in every]:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are: {', '.join(every)}")
    failed = 0
    for name in wanted:
        print(f"== {name}", flush=True)
        command = [sys.executable, str(BENCH / f"{name}.py")]
        failed += subprocess.run(command, check=False).returncode != 0
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
