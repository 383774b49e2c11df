"""Gives up what a daemon that died may have left: closes the fence, deletes leased VIPs, and takes
the fence away when no VIP is on this host any more.

Run by the unit when the service has ended, however it did, as `python -m drctl.daemon.release
DRCTL_TOML`. Harmless when nothing is left, and beside another drctl, whose lock it respects. An
address without a lease is not the daemon's, and stays.
"""

from __future__ import annotations

import socket
import sys
import tomllib
from collections.abc import Collection
from pathlib import Path

from drctl.adapters.addresses import Addresses, Present
from drctl.adapters.fence import Fence
from drctl.adapters.release import Releaser
from drctl.daemon.config import STATE_DIR
from drctl.daemon.guard_client import Lock, LockTaken
from drctl.daemon.state import written_addresses
from drctl.errors import DrctlError, FileRefused

TABLE = "drctl"
LOCK = "lock"
GUARD_LIMIT_MS = 5000
"""How long a guard that is at the same work may take."""

DONE, NOT_ALL = 0, 1


def release(config_path: str) -> list[DrctlError]:
    """Give up all that is left; what could not be given up comes back. LockTaken: another drctl
    works with the same state directory, and the VIPs are in its hands."""
    failed: list[DrctlError] = []
    state_dir = _state_dir(config_path, failed)
    if not state_dir.is_dir():
        return failed  # no daemon has ever come so far as to hold anything
    lock = Lock.acquire(state_dir / LOCK, GUARD_LIMIT_MS)
    try:
        releaser = Releaser()
        releaser.rehearse(TABLE)
        table = "" if releaser.why_no_fence else TABLE
        try:
            vips = _addresses(state_dir, config_path)
            failed += releaser.release(table, leased(vips))
            if table and not _present(vips):
                _remove_fence(table)
        except DrctlError as refused:
            failed += [refused, *releaser.release(table, ())]
    finally:
        lock.release()
    return failed


def leased(addresses: Collection[str]) -> set[bytes]:
    """Those of the addresses that this host has, and that the kernel would end by itself."""
    return {
        socket.inet_pton(socket.AF_INET6 if ":" in each.address else socket.AF_INET, each.address)
        for each in _present(addresses)
        if each.valid_ms >= 0
    }


def _present(addresses: Collection[str]) -> list[Present]:
    kernel = Addresses()
    try:
        return [each for each in kernel.observed() if each.address in addresses]
    finally:
        kernel.close()


def _remove_fence(table: str) -> None:
    """Nothing that takes the VIPs on this host later is silenced by it."""
    fence = Fence(table)
    try:
        fence.remove()
    finally:
        fence.close_sockets()


def _state_dir(config_path: str, failed: list[DrctlError]) -> Path:
    """As the file says; mistakes elsewhere in it do not matter here, and without it the default."""
    try:
        found = tomllib.loads(Path(config_path).read_text("utf-8"))
    except OSError as cause:
        failed.append(FileRefused("read", config_path, cause))
    except ValueError as wrong:
        failed.append(DrctlError(f"{config_path} is no TOML: {wrong}"))
    else:
        return Path(str(found.get("state_dir", STATE_DIR)))
    return Path(STATE_DIR)


def _addresses(state_dir: Path, config_path: str) -> frozenset[str]:
    """What the daemon wrote down at its start; else what it would start with."""
    found = written_addresses(state_dir)
    if found is not None:
        return found
    from drctl.daemon.config import read_config
    from drctl.daemon.config_reading import read_failover
    from drctl.daemon.host_reading import read_host

    kernel = Addresses()
    try:
        host = read_host(kernel)
    finally:
        kernel.close()
    failover = read_failover(read_config(config_path), host, accepts_unsupported=True)
    return frozenset(vip.address for group in failover.settings.groups for vip in group.vips)


def main(arguments: list[str]) -> int:
    """The exit code."""
    (config_path,) = arguments
    try:
        failed = release(config_path)
    except LockTaken as other:
        sys.stderr.write(f"drctl: nothing is given up: {other}\n")
        return DONE
    except DrctlError as refused:
        failed = [refused]
    for each in failed:
        sys.stderr.write(f"drctl: {each}\n")
    return NOT_ALL if failed else DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
