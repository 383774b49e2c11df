"""Runs every benchmark of bench/, one after the other; each prints ratios against a peer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent / "bench"
NOT_BENCHMARKS = frozenset({"failover_pairs.py", "failover_rows.py", "measure.py"})


def main() -> int:
    """The exit code is 1 when one of them failed."""
    failed = 0
    for file in sorted(BENCH.glob("*.py")):
        if file.name in NOT_BENCHMARKS:
            continue
        print(f"== {file.name}", flush=True)
        failed += subprocess.run([sys.executable, str(file)], check=False).returncode != 0
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
