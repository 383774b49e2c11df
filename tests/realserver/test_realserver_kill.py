"""A run that is killed at any point leaves something that the next run makes right."""

from __future__ import annotations

import argparse
import os
import signal
from pathlib import Path

import pytest
from realserver_case import OWN, Server
from verify_case import CONFIGURATION

from drctl.cli._realserver_source import read_wanted
from drctl.realserver.apply import apply, changes, remove
from drctl.realserver.guard import Guard
from drctl.realserver.journal import Journal
from drctl.realserver.read import read_kernel
from drctl.realserver.step import steps_of
from drctl.realserver.value import Wanted

IN_FULL = pytest.mark.skipif(
    os.environ.get("DRCTL_FULL", "") in {"", "0"}, reason="slow; runs with DRCTL_FULL=1"
)
METHODS = (
    *("sysctl", "nft-redirect", "iptables"),
    *(pytest.param(one, marks=IN_FULL) for one in ("nftables", "arptables", "arptables_jf")),
)


class KillingJournal(Journal):
    """Counts what is written, before and after, and kills its process at the point asked for."""

    def __init__(self, path: Path, point: int) -> None:
        self.left = point
        super().__init__(path)

    def _write(self) -> None:
        self._point()
        super()._write()
        self._point()

    def _point(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def ignore(_line: str) -> None:
    """Nobody listens."""


def wanted_by(folder: Path, method: str) -> Wanted:
    path = folder / "keepalived.conf"
    path.write_text(CONFIGURATION)
    words = {"path": str(path), "host": OWN, "method": method, "net": None, "dialect": "auto"}
    return read_wanted(argparse.Namespace(**words))[0]


def do_apply(wanted: Wanted, journal: Journal) -> None:
    found = changes(steps_of(wanted), journal)
    apply(found, journal, Guard(wanted, read_kernel), ignore)


def do_remove(_wanted: Wanted, journal: Journal) -> None:
    remove(journal, ignore)


def killed(server: Server, wanted: Wanted, path: Path, deed: object, point: int) -> bool:
    """Whether a child that does it was killed at the point; when there is no such point, it is
    done."""
    assert callable(deed)
    child = os.fork()
    if not child:
        code = 1
        try:
            with server.host.inside():
                deed(wanted, KillingJournal(path, point))
                code = 0
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    assert status in {0, signal.SIGKILL}, status
    return status == signal.SIGKILL


@pytest.mark.parametrize("method", METHODS)
def test_killed_apply_and_remove_are_made_right_by_the_next(
    server_on: Server,
    tmp_path: Path,
    method: str,
) -> None:
    server, journal = server_on, tmp_path / "journal.json"
    wanted = wanted_by(tmp_path, method)
    before = server.state()
    with server.host.inside():
        steps = len(changes(steps_of(wanted), Journal(journal)).done)
        do_apply(wanted, Journal(journal))
    applied = server.state()
    assert applied != before
    with server.host.inside():
        do_remove(wanted, Journal(journal))
    assert server.state() == before
    point = 1
    while killed(server, wanted, journal, do_apply, point):
        with server.host.inside():
            do_apply(wanted, Journal(journal))
        assert server.state() == applied, point
        was_killed = killed(server, wanted, journal, do_remove, point)
        with server.host.inside():
            do_remove(wanted, Journal(journal))
        assert server.state() == before, (point, was_killed)
        point += 1
    # a step is written down before it is done and after, and each time there are two points
    assert point == 4 * steps + 1
