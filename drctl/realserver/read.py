"""What this host has: its kernel, in this network namespace, and its boot files."""

from __future__ import annotations

from pathlib import Path

from drctl.adapters.addresses import Addresses
from drctl.adapters.arp_rules import read_arp_chains
from drctl.adapters.boot_addresses import boot_addresses
from drctl.adapters.boot_units import is_started, read_text, start_links, unit_state
from drctl.adapters.filter_rules import read_filter_chains
from drctl.adapters.layers import read_layers
from drctl.adapters.listening import listeners
from drctl.adapters.nat_rules import read_redirections
from drctl.adapters.sysctls import boot_settings, conf_values
from drctl.errors import FileRefused
from drctl.realserver.boot import JF_SERVICE, PROVIDERS, is_by_provider, units_of
from drctl.realserver.claim import Claims, read_claims
from drctl.realserver.value import Boot, Kernel, Wanted
from drctl.realserver.ways import read_ways


def read_kernel(wanted: Wanted | None = None) -> Kernel:
    """The running kernel, with the ways of the packets of what is wanted. Raises DrctlError for
    what cannot be read."""
    addresses = Addresses()
    try:
        present, links = tuple(addresses.observed()), tuple(addresses.links())
    finally:
        addresses.close()
    claims = Claims() if wanted is None else read_claims(wanted, present, links)
    arrivals, answers = (
        ((), ()) if wanted is None else read_ways(wanted, present, links, claims.routed)
    )
    return Kernel(
        present,
        links,
        conf_values("arp_ignore"),
        conf_values("arp_announce"),
        conf_values("rp_filter"),
        read_arp_chains(),
        read_redirections(),
        listeners(),
        arrivals,
        answers,
        read_layers(),
        conf_values("arp_notify"),
        read_filter_chains(),
        claims.proxied,
        claims.routed,
    )


def read_boot(wanted: Wanted, root: Path) -> Boot:
    """The boot files below `root`."""
    files: dict[str, str | None] = {}
    modes: dict[str, int] = {}
    for file in wanted.files:
        path = root / file.path.lstrip("/")
        try:
            files[file.path] = path.read_text("utf-8")
            modes[file.path] = path.stat().st_mode & 0o777
        except FileNotFoundError:
            files[file.path] = None
        except UnicodeDecodeError:
            files[file.path] = ""
        except OSError as cause:
            raise FileRefused("read", str(path), cause) from cause
    provider = PROVIDERS.get(wanted.net) if is_by_provider(wanted) else None
    return Boot(
        files,
        boot_settings(root),
        modes,
        {unit: unit_state(root, unit) for unit in units_of(wanted)},
        {} if provider is None else {provider[0]: is_started(root, *provider)},
        start_links(root, JF_SERVICE),
        start_links(root, "network"),
        boot_addresses(root, files),
        _reads_interfaces_d(wanted, root),
    )


def _reads_interfaces_d(wanted: Wanted, root: Path) -> bool:
    if not any(file.path.startswith("/etc/network/interfaces.d/") for file in wanted.files):
        return True
    main = root / "etc/network/interfaces"
    if not main.exists():
        return False
    lines = (line.split() for line in read_text(main).splitlines())
    return any(
        words[0] in {"source", "source-directory"} and "interfaces.d" in words[1]
        for words in lines
        if len(words) > 1
    )
