"""Files that are equal on many hosts, made once: thousands of real servers of one service differ in
nothing but their address, and mostly not even their files do."""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache

from drctl.render.environment import rendered_file, targets
from drctl.render.rendered import RenderedFile


def made_file(name: str, **names: Hashable) -> RenderedFile:
    """The file of the target `name`. What its template prints must be values that compare equal
    only when they print equal and come from the same places."""
    return _made(name, tuple(names.items()))


@lru_cache(maxsize=512)
def _made(name: str, names: tuple[tuple[str, Hashable], ...]) -> RenderedFile:
    return rendered_file(targets()[name], **dict(names))
