"""A pair and its real servers, every host's files in one rendering each."""

from __future__ import annotations

from dataclasses import dataclass, replace

from drctl.model.configuration import Configuration
from drctl.model.pair import Rank
from drctl.render.director import render_director
from drctl.render.host import Host, Names, hosts_of
from drctl.render.install import with_installers
from drctl.render.options import RenderOptions
from drctl.render.real_server import render_real_server
from drctl.render.rendered import RenderedFile, Rendering


def render_pair(
    primary: Configuration, backup: Configuration | None, names: Names, options: RenderOptions
) -> tuple[Rendering, ...]:
    """The directors, then the real servers by name, with their installers."""
    plan = plan_pair(primary, backup, names, options)
    return (*plan.directors(), *plan.real_servers())


@dataclass(frozen=True, slots=True)
class PairPlan:
    """Who is to get files; they are made when they are asked for, anew each time. Both methods
    raise UnsafeValue for a value that would break out of a format."""

    hosts: tuple[Host, ...]
    primary: Configuration
    backup: Configuration | None
    options: RenderOptions

    def directors(self) -> tuple[Rendering, ...]:
        """The directors' files: two large ones."""
        return tuple(self._of(host) for host in self.hosts if host.rank is not None)

    def real_servers(self) -> tuple[Rendering, ...]:
        """The files of the other hosts by name: many small ones."""
        return tuple(self._of(host) for host in self.hosts if host.rank is None)

    def _of(self, host: Host) -> Rendering:
        made = _render(host, self.primary, self.backup, self.options)
        return with_installers(made, self.options.source)


def plan_pair(
    primary: Configuration, backup: Configuration | None, names: Names, options: RenderOptions
) -> PairPlan:
    """Which hosts a pair has."""
    return PairPlan(hosts_of(primary, backup, names), primary, backup, options)


def merged(one: Rendering, other: Rendering) -> Rendering:
    """Two renderings of one host as one. The same path with other text is our own mistake."""
    assert one.host == other.host, f"{one.host} and {other.host} are two hosts"
    files: dict[str, RenderedFile] = {}
    for file in (*one.files, *other.files):
        known = files.setdefault(file.path, file)
        assert known == file, f"{file.path} of host {one.host} is rendered in two ways"
    return Rendering(
        host=one.host,
        files=tuple(files[path] for path in sorted(files)),
        losses=tuple(dict.fromkeys((*one.losses, *other.losses))),
        steps=tuple(sorted(dict.fromkeys((*one.steps, *other.steps)), key=lambda step: step.stage)),
        role=other.role or one.role,
        addresses=other.addresses or one.addresses,
    )


def _render(
    host: Host, primary: Configuration, backup: Configuration | None, options: RenderOptions
) -> Rendering:
    if host.rank is None:
        return render_real_server(host, options)
    view = primary if host.rank is Rank.PRIMARY or backup is None else backup
    director = render_director(view, host, options)
    if not host.bindings:
        lost = tuple(dict.fromkeys((*director.losses, *host.losses)))
        return replace(director, losses=lost)
    return merged(director, render_real_server(host, options))
