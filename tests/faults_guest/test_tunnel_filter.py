"""A firewall of nftables, which User-mode Linux has not, at the end of an IPIP tunnel."""

from __future__ import annotations

from pathlib import Path

from guest_fault_case import VIP, healthy_tunnel, tunnelled, wrong_tunnel
from live_case import FULL

KERNELS = ("qemu",)
FILTERED = (
    f"firewall for the tunnel of {VIP}: nft inet site input: meta l4proto ipencap drop: what the "
    "director sends through the tunnel is dropped: "
)


@FULL
def test_firewall_drops_what_the_tunnel_brings_and_another_protocol_is_left_alone(
    tmp_path: Path,
) -> None:
    chain = ("inet", "site", "input")
    table = "table inet site { chain input { type filter hook input priority 0; }; }\n"
    with tunnelled(tmp_path) as place:
        place.apply("sysctl")
        place.sysctl(all_rp_filter=0, tunl0_rp_filter=2)
        place.web.run("nft", "-f", "-", stdin=table)
        place.web.run("nft", "add", "rule", *chain, "meta", "l4proto", "41", "drop")
        healthy_tunnel(place)
        place.web.run("nft", "add", "rule", *chain, "meta", "l4proto", "4", "drop")
        wrong_tunnel(place, FILTERED)
        place.web.run("nft", "flush", "chain", *chain)
        healthy_tunnel(place)
