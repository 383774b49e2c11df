"""What the units of this installation depend on, by its drctl.toml."""

from __future__ import annotations

from pathlib import Path

from drctl.adapters.addresses import Addresses
from drctl.daemon.config import DaemonConfig, read_config
from drctl.daemon.config_reading import read_failover
from drctl.daemon.host_reading import read_host
from drctl.daemon.service_unit import Installation, own_program
from drctl.errors import DrctlError


def installation(path: str) -> tuple[Installation, str]:
    """And why not all of it is known, "" when it is: the file may come after the units."""
    whole = str(Path(path).absolute())
    try:
        config = read_config(whole)
    except DrctlError as refused:
        return Installation(own_program(), whole), str(refused)
    ports, unknown = _ports(config)
    needed = (config.config, config.secret, *(peer.public for peer in config.peers))
    folders = (config.state_dir, str(Path(config.control).parent))
    of = Installation(
        own_program(),
        whole,
        tuple(str(Path(each).absolute()) for each in needed),
        tuple(str(Path(each).absolute()) for each in folders),
        ports,
    )
    return of, unknown


def _ports(config: DaemonConfig) -> tuple[tuple[int, ...], str]:
    """The heartbeat's ports, which those of an lvs.cf are where drctl.toml has none."""
    kernel = Addresses()
    try:
        failover = read_failover(config, read_host(kernel), accepts_unsupported=True)
    except DrctlError as refused:
        said = (link.port for peer in config.peers for link in peer.links)
        return tuple({port for port in said if port is not None}), str(refused)
    finally:
        kernel.close()
    return tuple({link.port for link in failover.links}), ""
