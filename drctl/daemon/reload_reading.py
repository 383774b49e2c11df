"""Reads the configuration for a reload, in a process of its own: the controller's loop has no time.

Started as `python -m drctl.daemon.reload_reading CHANNEL PATH FENCE ACCEPTS`. What it has to say, a
`Preparation` or the lines of reasons against one, goes to the channel, pickled, after a line that
says of what shape it is.
"""

from __future__ import annotations

import pickle
import sys
from typing import TYPE_CHECKING

from drctl.daemon.background import begin

if TYPE_CHECKING:
    from drctl.daemon.preparation import Preparation

NAME = "drctl-reload"
YES = "yes"


def main(arguments: list[str]) -> int:
    """Read and tell; the exit code."""
    descriptor, path, fence, accepts = arguments
    with begin(NAME, descriptor) as channel:
        found = _read(path, has_fence=fence == YES, accepts_unsupported=accepts == YES)
        channel.sendall(_shape() + pickle.dumps(found))
    return 0


def _shape() -> bytes:
    from drctl.daemon.preparation_shape import shape

    return shape()


def _read(
    path: str, *, has_fence: bool, accepts_unsupported: bool
) -> Preparation | tuple[str, ...]:
    from drctl.daemon.preparation import Unready, prepare

    try:
        return prepare(path, accepts_unsupported=accepts_unsupported, has_fence=has_fence)
    except Unready as refused:
        return refused.lines


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
