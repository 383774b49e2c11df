"""Many small pieces of the same work, done by as many processes as there are processors.

The work is system calls, which threads would do one after the other: each has to wait for the
interpreter again when it comes back from the kernel.
"""

from __future__ import annotations

import errno
import os
import pickle
import traceback
from collections.abc import Callable
from typing import TypeVar

Work = Callable[[int], None]
"""Does the piece of this number; what it raises is an OSError."""

Answer = TypeVar("Answer")

MOST_PIECES = 256


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))


def share_out(count: int, work: Work, meanwhile: Callable[[], None]) -> None:
    """Do the pieces 0 to `count`, at most MOST_PIECES, each once and in any order.

    This process first does `meanwhile`, then takes its part. All processes have ended when this
    returns. Raises what `meanwhile` raises, or the OSError of a piece that failed.
    """
    assert count <= MOST_PIECES, "the number of a piece is one byte"
    numbers, give = os.pipe()
    try:
        with os.fdopen(give, "wb") as queue:
            queue.write(bytes(range(count)))
        # the pipe is the queue: whoever reads a byte does the piece of that number
        helpers = [_helper(numbers, work) for _ in range(min(processors(), count) - 1)]
        failed: list[OSError] = []
        try:
            meanwhile()
            _take_part(numbers, work)
        finally:
            # nobody finds anything more to do when this process gave up
            while os.read(numbers, MOST_PIECES):
                pass
            failed = [refused for helper in helpers if (refused := _end_of(*helper))]
        if failed:
            raise failed[0]
    finally:
        os.close(numbers)


def ask_beside(answer: Callable[[], Answer]) -> Callable[[], Answer]:
    """Have `answer` found out by another process, and by this one when there is only one
    processor. What is given back waits for it, and is to be called once.

    `answer` must not raise, and what it returns must be picklable.
    """
    if processors() < 2:
        return answer
    hear, tell = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with os.fdopen(tell, "wb") as told:
                pickle.dump(answer(), told)
            code = 0
        except BaseException:  # noqa: BLE001 - as in _helper
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(tell)

    def wait() -> Answer:
        with os.fdopen(hear, "rb") as told:
            raw = told.read()
        os.waitpid(child, 0)
        # a process that was killed has told nothing: then it is found out here
        return pickle.loads(raw) if raw else answer()

    return wait


def _take_part(numbers: int, work: Work) -> None:
    while number := os.read(numbers, 1):
        work(number[0])


def _helper(numbers: int, work: Work) -> tuple[int, int]:
    """A process that takes part; its id, and where it tells what went wrong, if anything did."""
    hear, tell = os.pipe()
    child = os.fork()
    if child:
        os.close(tell)
        return child, hear
    code = 1
    try:
        os.close(hear)
        _take_part(numbers, work)
        code = 0
    except OSError as refused:
        with os.fdopen(tell, "wb") as answer:
            pickle.dump(refused, answer)
    except KeyboardInterrupt:
        code = 130
    except Exception:  # noqa: BLE001 - there is nobody above to tell it to
        traceback.print_exc()
    finally:
        # this is a copy of the whole program: nothing of it may run on
        os._exit(code)


def _end_of(child: int, hear: int) -> OSError | None:
    """Wait for a helper; what it failed with."""
    with os.fdopen(hear, "rb") as answer:
        told = answer.read()
    _, status = os.waitpid(child, 0)
    if status == 0:
        return None
    if told:
        refused: OSError = pickle.loads(told)
        return refused
    code = os.waitstatus_to_exitcode(status)
    return OSError(errno.ECHILD, f"a process that helped to write ended with {code}")
