"""A controller that does nothing but hold VIPs, with a guard: for tests that kill it.

Arguments: the lock file, how many VIPs, the fence's lease in ms (0: no fence), and how often it is
renewed in ms. Says `ready GUARD-PID` on standard output, and then obeys lines on standard input:
`end` or `release` ends the guard and itself, `other` makes the guard hold nothing.
"""

from __future__ import annotations

import ipaddress
import select
import sys
from pathlib import Path

from failover_stage import many_vips

from drctl.adapters.addresses import Addresses
from drctl.adapters.fence import Fence
from drctl.daemon.guard_client import GuardClient, Lock

LEASE_MS = 60_000
TABLE = "drctl"


def main() -> None:
    lock_path, count, fence_ms, renew_ms = sys.argv[1], *map(int, sys.argv[2:])
    vips = many_vips(count)
    packed = {ipaddress.ip_address(vip.address).packed for vip in vips}
    table = TABLE if fence_ms else ""
    guard = GuardClient.spawn(Lock.acquire(Path(lock_path)))
    guard.hold(packed, table)
    fence = Fence(TABLE, fence_ms) if fence_ms else None
    if fence is not None:
        fence.prepare({"all": vips})
    addresses = Addresses()
    assert addresses.add(vips, LEASE_MS) == []
    if fence is not None:
        fence.open("all")
    print("ready", guard.pid, flush=True)
    while True:
        if select.select([sys.stdin], [], [], renew_ms / 1000)[0]:
            word = sys.stdin.readline().strip()
            if word == "other":
                guard.hold(set(), table)
                print("done", flush=True)
            else:
                guard.end(is_release=word == "release")
                return
        if fence is not None and not fence.renew("all"):
            print("lapsed", flush=True)
            return


if __name__ == "__main__":
    main()
