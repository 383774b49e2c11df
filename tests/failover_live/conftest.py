"""What all tests of this folder need."""

from __future__ import annotations

import pytest

from drctl.adapters.fence import unusable_reason
from tools import need, need_root, refuse


@pytest.fixture(autouse=True)
def _able() -> None:
    need_root()
    need("nft", "nftables")
    reason = unusable_reason()
    if reason:
        refuse(reason)
