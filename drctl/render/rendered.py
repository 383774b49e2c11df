"""What a renderer gives: a host's files, what brings them to life, what a format cannot say."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from drctl.quickclass import dataclass, field
from drctl.text.place import Place


@dataclass(frozen=True, slots=True)
class RenderedFile:
    """A file for one host.

    `path` is absolute on that host, `mode` its permission bits. `origins` maps a line of `text`
    (from 1) to the source statements it came from. `target` names the template that made it.
    """

    path: str
    text: str
    mode: int = 0o644
    origins: Mapping[int, tuple[Place, ...]] = field(
        default_factory=dict, compare=False, repr=False
    )
    target: str = field(default="", compare=False)


class Stage(IntEnum):
    """When a step runs. A real server must refuse ARP for a VIP before it has the VIP."""

    RULES = 10
    SYSCTL = 20
    ADDRESS = 30
    SERVICE = 40


@dataclass(frozen=True, slots=True)
class Step:
    """What install.sh does when the files are in place, in order of `stage`; uninstall.sh undoes
    it in reverse order before it removes them.

    `activate` and `deactivate` are lines of POSIX sh that run as root and may run again; `title` is
    printed before they run. `tools` are the programs that they cannot do without.
    """

    stage: Stage
    title: str
    activate: str
    deactivate: str = ""
    tools: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Loss:
    """Something the model says and a target cannot. `feature` is a dotted name (`vip.ipv6`)."""

    feature: str
    message: str
    places: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class Rendering:
    """All files of one host in order of their paths, its steps, and the losses.

    `role` says in a few words what the host is, `addresses` are those that the configuration knows
    it by. `installers` are install.sh and uninstall.sh, whose
    paths are relative to the host's folder.
    """

    host: str
    files: tuple[RenderedFile, ...]
    losses: tuple[Loss, ...] = ()
    steps: tuple[Step, ...] = ()
    role: str = ""
    installers: tuple[RenderedFile, ...] = ()
    addresses: tuple[str, ...] = ()
