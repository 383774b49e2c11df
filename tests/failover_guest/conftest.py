"""The tests of this folder run in a guest (`guest_case`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from device_case import Devices, devices
from guest_case import Delegate, is_guest

HERE = Path(__file__).parent
DELEGATE = pytest.StashKey[Delegate]()


def pytest_collection_finish(session: pytest.Session) -> None:
    delegate = session.stash[DELEGATE] = Delegate()
    delegate.collected([item for item in session.items if item.path.parent == HERE])


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    if is_guest() or item.path.parent != HERE:
        return None
    item.session.stash[DELEGATE].run(item)
    return True


def pytest_sessionfinish(session: pytest.Session) -> None:
    if DELEGATE in session.stash:
        session.stash[DELEGATE].close()


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devices]:
    """One pair for all tests: starting it takes longer than most of them."""
    with devices(tmp_path_factory.mktemp("pair")) as built:
        yield built


@pytest.fixture
def live(pair: Devices) -> Devices:
    """The pair, the first director active on every device, as nothing had happened."""
    pair.all_on(pair.directors["lb1"])
    return pair
