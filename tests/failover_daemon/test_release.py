"""What a unit does when its daemon has ended, on a kernel."""

from __future__ import annotations

import json
from pathlib import Path

from netns_case import segment

from drctl.adapters.fence import Fence, unusable_reason
from drctl.core.value import Vip
from drctl.daemon.release import release
from tools import refuse

VIP = "192.0.2.100"


def test_fence_is_taken_away_when_its_vips_are_gone_and_not_before(tmp_path: Path) -> None:
    config, state = tmp_path / "drctl.toml", tmp_path / "state"
    config.write_text(f'state_dir = "{state}"\n')
    state.mkdir(mode=0o700)
    (state / "addresses.json").write_text(json.dumps({"schema": 1, "addresses": [VIP]}))
    with segment() as made:
        host = made.host("lb1", "192.0.2.1/24")
        with host.inside():
            if reason := unusable_reason():
                refuse(reason)
            fence = Fence()
            fence.prepare({"web": (Vip(VIP, 24, "eth0"),)})
            # without a lease it is not the daemon's, and stays; and stays silent
            host.ip("address", "add", f"{VIP}/24", "dev", "eth0")
            assert release(str(config)) == []
            assert fence.is_present()
            assert VIP in host.ip("address")
            lease = ("valid_lft", "600", "preferred_lft", "600")
            host.ip("address", "change", f"{VIP}/24", "dev", "eth0", *lease)
            assert release(str(config)) == []
            assert VIP not in host.ip("address")
            assert not fence.is_present()
            fence.close_sockets()
