"""What this host has: its kernel, in this network namespace, and its boot files."""

from __future__ import annotations

from pathlib import Path

from drctl.adapters.addresses import Addresses
from drctl.adapters.arp_rules import read_arp_chains
from drctl.adapters.listening import listeners
from drctl.adapters.nat_rules import read_redirections
from drctl.adapters.sysctls import boot_settings, conf_values
from drctl.errors import FileRefused
from drctl.realserver.value import Boot, Kernel, Wanted


def read_kernel() -> Kernel:
    """The running kernel. Raises DrctlError for what cannot be read."""
    addresses = Addresses()
    try:
        present, links = tuple(addresses.observed()), tuple(addresses.links())
    finally:
        addresses.close()
    return Kernel(
        present,
        links,
        conf_values("arp_ignore"),
        conf_values("arp_announce"),
        conf_values("rp_filter"),
        read_arp_chains(),
        read_redirections(),
        listeners(),
    )


def read_boot(wanted: Wanted, root: Path) -> Boot:
    """The boot files below `root`."""
    files: dict[str, str | None] = {}
    for file in wanted.files:
        path = root / file.path.lstrip("/")
        try:
            files[file.path] = path.read_text("utf-8")
        except FileNotFoundError:
            files[file.path] = None
        except (OSError, UnicodeDecodeError) as cause:
            reason = cause if isinstance(cause, OSError) else "it is no text"
            raise FileRefused("read", str(path), reason) from cause
    return Boot(files, boot_settings(root))
