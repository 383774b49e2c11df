"""A pair and its real servers, every host's files in one rendering each."""

from __future__ import annotations

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
    return tuple(
        with_installers(_render(host, primary, backup, options), options.source)
        for host in hosts_of(primary, backup, names)
    )


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
        return Rendering(director.host, director.files, lost, director.steps, director.role)
    return merged(director, render_real_server(host, options))
