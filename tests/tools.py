"""System programs that tests ask: found, or the test is skipped; under CI=true it fails."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest
from corpus import PROJECT

UNPACKED = PROJECT / ".venv" / "debian" / "usr" / "bin"
"""Programs of packages that are not installed (tools/unpack.sh)."""

SEARCH_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin", str(UNPACKED)))


def need(tool: str, package: str) -> str:
    """Path of `tool`, which is in Debian's `package`."""
    found = shutil.which(tool, path=SEARCH_PATH)
    if found is None:
        refuse(f"{tool} is not installed (Debian package {package})")
    return found


def need_root() -> None:
    """For tests that make namespaces or boot guests."""
    if os.geteuid() != 0:
        refuse("needs root")


def refuse(reason: str) -> NoReturn:
    """Skip, or fail where everything must be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
