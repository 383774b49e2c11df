"""The tests of this folder run in guests (`guest_case`): each module names its kernels in KERNELS.
With the first of them they belong to the suite, with the others they run with DRCTL_FULL=1.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from device_case import Devices, devices
from guest_case import Delegate, kernel_here
from live_case import FULL

HERE = Path(__file__).parent
DELEGATES = pytest.StashKey[dict[str, Delegate]]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    first, *others = metafunc.module.KERNELS
    kernels = [pytest.param(first), *(pytest.param(other, marks=FULL) for other in others)]
    metafunc.fixturenames.append("kernel")
    metafunc.parametrize("kernel", kernels, indirect=True, scope="session")


def _kernel_of(item: pytest.Item) -> str:
    assert isinstance(item, pytest.Function)
    return str(item.callspec.params["kernel"])


def pytest_collection_finish(session: pytest.Session) -> None:
    items: dict[str, list[pytest.Item]] = {}
    for item in session.items:
        if item.path.parent == HERE:
            items.setdefault(_kernel_of(item), []).append(item)
    session.stash[DELEGATES] = {name: Delegate(name, some) for name, some in items.items()}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    if kernel_here() or item.path.parent != HERE:
        return None
    item.session.stash[DELEGATES][_kernel_of(item)].run(item)
    return True


def pytest_sessionfinish(session: pytest.Session) -> None:
    for delegate in session.stash.get(DELEGATES, {}).values():
        delegate.close()


@pytest.fixture(scope="session")
def kernel(request: pytest.FixtureRequest) -> str:
    """The guest's kernel: "uml" or "qemu"."""
    assert kernel_here() == request.param
    return str(request.param)


@pytest.fixture(scope="session")
def pair(kernel: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devices]:
    """One pair for all tests: starting it takes longer than most of them."""
    with devices(tmp_path_factory.mktemp("pair"), kernel) as built:
        yield built


@pytest.fixture
def live(pair: Devices) -> Devices:
    """The pair, the first director active on every device, as nothing had happened."""
    pair.all_on(pair.directors["lb1"])
    return pair
