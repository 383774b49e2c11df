"""Everything a director needs beside keepalived.conf: the check program, kernel settings, the rules
that give packets their mark, what a firewall must let through, and the steps that start it all.

Direct routing and tunnelling need no forwarding: IPVS sends those packets itself, from where they
were delivered. Only the answers of masqueraded services pass the director as a router.
"""

from __future__ import annotations

from drctl.model.configuration import Configuration
from drctl.render.checkarg import CHECK_PATH
from drctl.render.director_firewall import openings_of
from drctl.render.director_forwarding import forwarding_of
from drctl.render.director_mark import MarkPlan, marks_of
from drctl.render.director_step import (
    check_program_step,
    keepalived_step,
    mark_steps,
    module_step,
    sysctl_step,
)
from drctl.render.environment import rendered_file, targets
from drctl.render.host import Host
from drctl.render.keepalived import keepalived_file
from drctl.render.options import RenderOptions
from drctl.render.rendered import RenderedFile, Rendering, Step
from drctl.resources import resource_dir

WITHOUT_SYSTEMD = frozenset({"ifcfg", "ifupdown"})
"""Network systems of hosts that may have no systemd; an init script is written beside the unit."""


def render_director(configuration: Configuration, host: Host, options: RenderOptions) -> Rendering:
    """All of a director's files and steps but the installers; `configuration` is its own view."""
    keepalived, losses = keepalived_file(configuration, options)
    files = [keepalived]
    steps: list[Step] = []
    if CHECK_PATH in keepalived.text:
        files.append(check_program())
        steps.append(check_program_step())
    plan = marks_of(configuration)
    if plan.lines:
        files.extend(_mark_files(plan, options))
        has_init_script = options.net in WITHOUT_SYSTEMD
        steps.extend(mark_steps(options.marks, has_init_script=has_init_script))
    forwarding = forwarding_of(configuration)
    if forwarding.families:
        files.append(_file("director-sysctl", options, forwarding=forwarding))
        steps.append(sysctl_step(forwarding.keys))
    if forwarding.ftp is not None:
        files.append(_file("director-modules", options, ftp=forwarding.ftp))
        steps.append(module_step("ip_vs_ftp"))
    firewall = _firewall_files(configuration, options)
    files.extend(firewall)
    steps.append(keepalived_step([file.path for file in firewall]))
    return Rendering(
        host=host.name,
        files=tuple(sorted(files, key=lambda file: file.path)),
        losses=(*losses, *plan.losses),
        steps=tuple(sorted(steps, key=lambda step: step.stage)),
        role="director" if host.rank is None else f"{host.rank} director",
        addresses=host.addresses,
    )


def check_program() -> RenderedFile:
    """drctl-check, as it is in templates/check."""
    text = (resource_dir("templates") / "check" / "drctl-check").read_text(encoding="utf-8")
    return RenderedFile(CHECK_PATH, text, 0o755)


def _file(name: str, options: RenderOptions, **names: object) -> RenderedFile:
    return rendered_file(targets()[name], source=options.source, **names)


def _mark_files(plan: MarkPlan, options: RenderOptions) -> list[RenderedFile]:
    is_nft = options.marks == "nftables"
    families = [family for family in (4, 6) if plan.of_family(family)]
    if is_nft:
        rules = [_file("marks-nftables", options, lines=plan.lines)]
    else:
        rules = [
            _file("marks-iptables", options, lines=plan.of_family(family), family=family)
            for family in families
        ]
    files = [
        *rules,
        _file("drctl-marks", options, is_nft=is_nft, families=families),
        _file("drctl-marks.service", options, is_nft=is_nft),
        _file("keepalived-drop-in", options),
    ]
    if options.net in WITHOUT_SYSTEMD:
        files.append(_file("drctl-marks-init", options))
    return files


def _firewall_files(configuration: Configuration, options: RenderOptions) -> list[RenderedFile]:
    """Nothing loads these: where they belong depends on the firewall that the director has."""
    openings = openings_of(configuration)
    if not openings:
        return []
    files = [_file("firewall-firewalld", options, openings=openings)]
    if options.marks == "nftables":
        files.append(_file("firewall-nftables", options, openings=openings))
        return files
    for family in (4, 6):
        lines = [line for line in openings if line.family == family]
        if lines:
            files.append(_file("firewall-iptables", options, openings=lines, family=family))
    return files
