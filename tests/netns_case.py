"""Hosts on an Ethernet segment (drctl/lab/pair/host.py) for tests: skipped where there are none."""

from __future__ import annotations

import select
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol

from drctl.errors import DrctlError
from drctl.lab.pair import host
from drctl.lab.pair.host import Host, Segment, run
from tools import need, need_root, refuse

__all__ = ["Host", "Readable", "Segment", "is_readable", "run", "segment", "set_ipv4", "wait_until"]


@contextmanager
def segment() -> Iterator[Segment]:
    """A switch without hosts; everything is gone afterwards, also after a failure."""
    need_root()
    need("ip", "iproute2")
    with ExitStack() as stack:
        try:
            made = stack.enter_context(host.segment())
        except DrctlError as refused:
            refuse(f"no switch can be made: {refused}")
        yield made


def set_ipv4(host: Host, **values: int) -> None:
    """Settings of net.ipv4.conf in a host: `all_arp_ignore=0`."""
    words = []
    for name, value in values.items():
        card, _, key = name.partition("_")
        words.append(f"net.ipv4.conf.{card}.{key}={value}")
    host.run("sysctl", "-qw", *words)


class Readable(Protocol):
    """Something to wait for."""

    def fileno(self) -> int: ...


def is_readable(what: Readable, within_ms: float) -> bool:
    """Whether there is something to read within this time."""
    poll = select.poll()
    poll.register(what.fileno(), select.POLLIN)
    return bool(poll.poll(within_ms))


def wait_until(instant: float) -> None:
    """Let real time pass, up to this instant of `time.monotonic()`: leases are in real time."""
    while (left := instant - time.monotonic()) > 0:
        select.select([], [], [], left)
