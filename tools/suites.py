"""Runs every suite of the tests and says how many minutes each took, and what was left out.

A suite is a folder of tests/ (ruff and mypy are one more). Each runs in a process of its own, so
that one that dies does not hide the others. Exit code 1 when one of them failed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
NO_TESTS_COLLECTED = 5
STYLE = "style"


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
    results = []
    for name in suites:
        print(f"\n=== {name}", flush=True)
        results.append(run_style() if name == STYLE else run_tests(name))
    print("\n" + summary(results))
    return int(any(not result.is_good for result in results))


def suite_names() -> list[str]:
    """Folders of tests/ that hold tests; the lab, which takes longest, is last."""
    folders = sorted({file.parent.name for file in (PROJECT / "tests").glob("*/test_*.py")})
    return sorted(folders, key=lambda name: name == "lab")


def run_style() -> Result:
    """ruff and mypy, as `make lint` runs them."""
    start = time.monotonic()
    steps = (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"])
    codes = [
        subprocess.run([sys.executable, "-m", *step], cwd=PROJECT, check=False).returncode
        for step in steps
    ]
    bad = sum(code != 0 for code in codes)
    return Result(STYLE, bad == 0, time.monotonic() - start, len(codes) - bad, bad)


def run_tests(name: str) -> Result:
    """One folder of tests in a pytest of its own."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="drctl-suite-") as folder:
        report = Path(folder, "report.xml")
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", f"tests/{name}"]
        code = subprocess.run(command, cwd=PROJECT, check=False).returncode
        result = Result(name, code == 0, time.monotonic() - start)
        if report.is_file():
            count(result, report)
    if code == NO_TESTS_COLLECTED:
        print(f"suite {name} has no tests", file=sys.stderr)
    if code != 0 and result.failed == 0:
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


def summary(results: list[Result]) -> str:
    """The table of suites, what was left out, and the sum in one line."""
    lines = ["suite                    minutes  passed  failed  skipped"]
    lines += [
        f"{r.name:24} {r.seconds / 60:7.1f} {r.passed:7} {r.failed:7} {r.skipped:8}"
        + ("" if r.is_good else "  FAILED")
        for r in results
    ]
    reasons = sum((result.reasons for result in results), Counter())
    lines += [f"left out: {number} x {reason}" for reason, number in sorted(reasons.items())]
    minutes = sum(result.seconds for result in results) / 60
    lines.append(f"all suites: {minutes:.1f} minutes")
    passed, failed = (sum(getattr(r, kind) for r in results) for kind in ("passed", "failed"))
    skipped = sum(result.skipped for result in results)
    lines.append(f"{passed} passed, {failed} failed, {skipped} skipped")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
