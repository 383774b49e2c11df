"""Whether what is to be run is what the configuration says: asked by a process that runs scripts
with privileges for a daemon that has none. Reads the files itself, and trusts nobody's word."""

from __future__ import annotations

from drctl.adapters.addresses import Addresses
from drctl.daemon.config import read_config
from drctl.daemon.config_reading import read_failover
from drctl.daemon.hook_reading import hook_settings
from drctl.daemon.hook_value import HookSettings
from drctl.daemon.host_reading import read_host
from drctl.errors import DrctlError


def objection(told: HookSettings, config_path: str) -> str:
    """Why these settings must not be carried out; "" when they are those of the configuration."""
    try:
        own = configured(config_path)
    except DrctlError as refused:
        return f"the configuration cannot be read: {refused}"
    if own == told:
        return ""
    return f"the files that {config_path} names have changed since: drctl reload"


def configured(config_path: str) -> HookSettings:
    """What the configuration says now. Raises DrctlError."""
    config = read_config(config_path)
    kernel = Addresses()
    try:
        host = read_host(kernel)
    finally:
        kernel.close()
    return hook_settings(read_failover(config, host, accepts_unsupported=True), config.config)
