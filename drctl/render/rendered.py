"""What a renderer gives: files of a host, and what their format could not carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from drctl.text.place import Place


@dataclass(frozen=True, slots=True)
class RenderedFile:
    """A file for one host.

    `path` is absolute on that host, `mode` its permission bits. `origins` maps a line of `text`
    (from 1) to the source statements it came from.
    """

    path: str
    text: str
    mode: int = 0o644
    origins: Mapping[int, tuple[Place, ...]] = field(
        default_factory=dict, compare=False, repr=False
    )


@dataclass(frozen=True, slots=True)
class Loss:
    """Something the model says and a target cannot. `feature` is a dotted name (`vip.ipv6`)."""

    feature: str
    message: str
    places: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class Rendering:
    """All files of one host in order of their paths, and the losses."""

    host: str
    files: tuple[RenderedFile, ...]
    losses: tuple[Loss, ...] = ()
