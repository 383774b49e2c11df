"""Runs every suite of the tests and says how many minutes each took, and what was left out.

A suite is a folder of tests/ (ruff and mypy are one more). Each runs in a process of its own, so
that one that dies does not hide the others. Those that judge no times run two at a time: a line
says that one has begun, and what it says is printed in one piece when it has ended. Exit code 1
when one of them failed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

PROJECT = Path(__file__).resolve().parent.parent
NO_TESTS_COLLECTED = 5
STYLE = "style"
AT_A_TIME = 2
BESIDE = (
    "lab",
    "failover_core",
    "render_real_server",
    "render_keepalived",
    "realserver",
    "fuzz",
    "agree",
    "syntax",
    "convert",
    "check_program",
    STYLE,
    "docs",
    "explain",
    "failover_config",
    "lint",
    "packaging",
    "project",
    "readers",
    "render_director",
    "schema",
    "text",
)
"""Suites that can run beside others, those that take longest first. All others judge how long
something took, or need what there is one of on a machine: they run alone."""


@dataclass
class Result:
    """What one suite gave; `reasons` counts why tests were skipped."""

    name: str
    is_good: bool
    seconds: float
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


def main(names: list[str]) -> int:
    """Run the suites called `names`, or all."""
    suites = names or [STYLE, *suite_names()]
    start = time.monotonic()
    found = {result.name: result for result in run_all(suites)}
    results = [found[name] for name in suites]
    print("\n" + summary(results, time.monotonic() - start))
    return int(any(not result.is_good for result in results))


def suite_names() -> list[str]:
    """Folders of tests/ that hold tests."""
    return sorted({file.parent.name for file in (PROJECT / "tests").glob("*/test_*.py")})


def run_all(names: list[str]) -> Iterator[Result]:
    """The results as they come: first of the suites that can run beside each other."""
    beside = [name for name in BESIDE if name in names]
    pool = ThreadPoolExecutor(AT_A_TIME)
    try:
        for ended in as_completed([pool.submit(run_kept, name) for name in beside]):
            result, said = ended.result()
            announce(result.name)
            print(said, end="", flush=True)
            yield result
    finally:
        # after an interrupt those that have not begun are not to begin
        pool.shutdown(cancel_futures=True)
    for name in names:
        if name not in beside:
            announce(name)
            yield run(name, None)


def announce(name: str) -> None:
    """The headline of what a suite says."""
    print(f"\n=== {name}", flush=True)


def run_kept(name: str) -> tuple[Result, str]:
    """Run a suite; what it said."""
    print(f"... {name}", flush=True)
    with tempfile.TemporaryFile() as output:
        result = run(name, output)
        output.seek(0)
        return result, output.read().decode("utf-8", "replace")


def run(name: str, output: IO[bytes] | None) -> Result:
    """Run a suite; it writes there, or to our own output."""
    return run_style(output) if name == STYLE else run_tests(name, output)


def execute(command: list[str], output: IO[bytes] | None) -> int:
    """The exit code of a program, which writes everything to one place."""
    errors = None if output is None else subprocess.STDOUT
    done = subprocess.run(command, cwd=PROJECT, check=False, stdout=output, stderr=errors)
    return done.returncode


def run_style(output: IO[bytes] | None) -> Result:
    """ruff and mypy, as `make lint` runs them."""
    start = time.monotonic()
    steps = (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"])
    codes = [execute([sys.executable, "-m", *step], output) for step in steps]
    bad = sum(code != 0 for code in codes)
    return Result(STYLE, bad == 0, time.monotonic() - start, len(codes) - bad, bad)


def run_tests(name: str, output: IO[bytes] | None) -> Result:
    """One folder of tests in a pytest of its own."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="drctl-suite-") as folder:
        report = Path(folder, "report.xml")
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", f"tests/{name}"]
        code = execute(command, output)
        result = Result(name, code == 0, time.monotonic() - start)
        if report.is_file():
            count(result, report)
        else:
            result.is_good = False  # it died before its end, whatever it says of itself
    if code == NO_TESTS_COLLECTED:
        print(f"suite {name} has no tests", file=sys.stderr)
    if not result.is_good and result.failed == 0:
        result.failed = 1
    return result


def count(result: Result, report: Path) -> None:
    """Fill in the numbers of a JUnit report."""
    for case in ET.parse(report).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            result.failed += 1
        elif (skipped := case.find("skipped")) is not None:
            result.skipped += 1
            result.reasons[skipped.get("message", "no reason given")] += 1
        else:
            result.passed += 1


def summary(results: list[Result], seconds: float) -> str:
    """The table of suites, what was left out, and the sum in one line. Suites that ran beside
    others count in full in their own lines only."""
    lines = ["suite                    minutes  passed  failed  skipped"]
    lines += [
        f"{r.name:24} {r.seconds / 60:7.1f} {r.passed:7} {r.failed:7} {r.skipped:8}"
        + ("" if r.is_good else "  FAILED")
        for r in results
    ]
    reasons = sum((result.reasons for result in results), Counter())
    lines += [f"left out: {number} x {reason}" for reason, number in sorted(reasons.items())]
    lines.append(f"all suites: {seconds / 60:.1f} minutes, {AT_A_TIME} at a time where they can be")
    passed, failed = (sum(getattr(r, kind) for r in results) for kind in ("passed", "failed"))
    skipped = sum(result.skipped for result in results)
    lines.append(f"{passed} passed, {failed} failed, {skipped} skipped")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
