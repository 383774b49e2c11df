"""The adapters' own suite, in Debian's kernel."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from corpus import PROJECT
from live_case import FULL

KERNELS = ("qemu",)
SUITE = PROJECT / "tests" / "failover_kernel"
FILES = tuple(sorted(path.name for path in SUITE.glob("test_*.py")))


@FULL
@pytest.mark.parametrize("name", FILES)
def test_adapters_suite_passes_in_debians_kernel(tmp_path: Path, name: str) -> None:
    report = tmp_path / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, f"--junitxml={report}", str(SUITE / name)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout[-8000:] + done.stderr[-2000:]
    suite = ET.parse(report).getroot().find("testsuite")
    assert suite is not None
    assert (done.returncode, suite.get("skipped")) == (0, "0"), said
    assert int(suite.get("tests", "0")) > 0
