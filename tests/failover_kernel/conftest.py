"""A client and a director at one switch; the tests run in the director's namespace."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from failover_stage import OWN, Client, Stage
from netns_case import segment

from drctl.adapters.arp import ArpSocket
from drctl.adapters.fence import unusable_reason
from drctl.adapters.nd import NdSocket
from tools import refuse


@pytest.fixture(scope="module")
def whole_stage() -> Iterator[Stage]:
    """Built once for all tests of a file: building takes longer than most tests."""
    with segment() as made:
        director = made.host("director", *OWN)
        host = made.host("client", "192.0.2.9/24", "2001:db8::9/64")
        with host.inside():
            arp = ArpSocket("eth0", [("192.0.2.9", 24)])
            nd = NdSocket("eth0", [("2001:db8::9", 64)])
        try:
            yield Stage(made, director, Client(host, arp, nd), director.mac())
        finally:
            arp.close()
            nd.close()


@pytest.fixture
def stage(whole_stage: Stage) -> Iterator[Stage]:
    """The stage as it was built, and the test inside of the director."""
    with whole_stage.director.inside():
        try:
            yield whole_stage
        finally:
            whole_stage.restore()


@pytest.fixture
def fenced_stage(stage: Stage) -> Stage:
    """A stage whose kernel has nftables."""
    reason = unusable_reason()
    if reason:
        refuse(reason)
    return stage
