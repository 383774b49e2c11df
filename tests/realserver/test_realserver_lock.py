"""Two runs do not change the same host at once, and nothing is left of the lock."""

from __future__ import annotations

from pathlib import Path

import pytest
from netns_case import segment

from drctl.adapters.run_lock import NAMESPACE, alone
from drctl.errors import DrctlError


def test_run_waits_for_another_one_in_the_same_namespace_alone() -> None:
    with segment() as net, alone(NAMESPACE):
        with (
            pytest.raises(DrctlError, match="another run of drctl realserver"),
            alone(NAMESPACE, 0),
        ):
            raise AssertionError("both are at work")
        with net.host("other", "192.0.2.9/24").inside(), alone(NAMESPACE, 0):
            pass
    with alone(NAMESPACE, 0):
        pass


def test_folder_is_locked_itself(tmp_path: Path) -> None:
    root = tmp_path / "new" / "root"
    with alone(root), pytest.raises(DrctlError), alone(root, 0):
        raise AssertionError("both are at work")
    assert list(root.iterdir()) == []
