"""A folder whose tests run in guests (`guest_case`): each module names its kernels in KERNELS.
With the first of them its tests belong to the suite, with the others they run with DRCTL_FULL=1.

The folder's conftest takes the methods for its hooks.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from guest_case import Delegate, kernel_here
from live_case import FULL


class GuestSuite:
    """The hooks that hand the tests of a folder over to guests."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._delegates: dict[str, Delegate] = {}

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Each test once for each kernel."""
        first, *others = metafunc.module.KERNELS
        kernels = [pytest.param(first), *(pytest.param(other, marks=FULL) for other in others)]
        metafunc.fixturenames.append("kernel")
        metafunc.parametrize("kernel", kernels, indirect=True, scope="session")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """A guest for the tests of each kernel."""
        items: dict[str, list[pytest.Item]] = {}
        for item in session.items:
            if self._is_handed_over(item):
                items.setdefault(_kernel_of(item), []).append(item)
        self._delegates = {name: Delegate(name, some) for name, some in items.items()}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """In the guest it runs as any other test."""
        if kernel_here() or not self._is_handed_over(item):
            return None
        self._delegates[_kernel_of(item)].run(item)
        return True

    def _is_handed_over(self, item: pytest.Item) -> bool:
        """No guest is booted to find that a test is left out."""
        is_left_out = any(mark.args[:1] == (True,) for mark in item.iter_markers("skipif"))
        return item.path.parent == self._folder and not is_left_out

    def pytest_sessionfinish(self) -> None:
        """No guest is left."""
        for delegate in self._delegates.values():
            delegate.close()


def _kernel_of(item: pytest.Item) -> str:
    assert isinstance(item, pytest.Function)
    return str(item.callspec.params["kernel"])


@pytest.fixture(scope="session")
def kernel(request: pytest.FixtureRequest) -> str:
    """The guest's kernel: "uml" or "qemu"."""
    assert kernel_here() == request.param
    return str(request.param)
