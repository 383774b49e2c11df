"""What a preparation is made of, as this process knows it.

The process that reads a configuration for a reload is a new one: after an upgrade it is another
drctl's than the daemon, and what it makes does not fit.
"""

from __future__ import annotations

import hashlib

from drctl import __version__
from drctl.adapters import heartbeat_socket, keys
from drctl.core import value
from drctl.daemon import config, hook_value, preparation

MODULES = (preparation, config, hook_value, heartbeat_socket, keys, value)
"""Of the classes of everything that is in one."""


def shape() -> bytes:
    """A line that is the same for two processes that understand each other: the version, and a
    digest of the classes with their fields in order."""
    classes = [
        (module.__name__, name, list(found.__annotations__))
        for module in MODULES
        for name, found in sorted(vars(module).items())
        if isinstance(found, type) and found.__module__ == module.__name__
    ]
    digest = hashlib.sha256(repr(classes).encode()).hexdigest()[:16]
    return f"{__version__} {digest}\n".encode()
