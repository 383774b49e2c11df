"""A director that answers for more than half of its network."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from netns_case import segment
from verify_case import vrrp_instance

VIPS = [f"192.0.2.{number}" for number in range(50, 200)]


def test_director_with_vips_all_over_its_network_is_no_proxy(tmp_path: Path) -> None:
    path = tmp_path / "keepalived.conf"
    path.write_text(vrrp_instance(*(f"{vip}/24" for vip in VIPS)))
    with segment() as made:
        asking = made.host("mon", "192.0.2.9/24")
        made.host("lb1", "192.0.2.1/24", *(f"{vip}/32" for vip in VIPS))
        made.host("lb2", "192.0.2.2/24")
        command = asking.command(sys.executable, "-m", "drctl", "verify", str(path), "--json")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert {one["verdict"] for one in json.loads(done.stdout)["vips"]} == {"ok"}
    assert done.returncode == 0
