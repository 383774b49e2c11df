"""What a real server is to have, from what the user names: the directors' configuration, or the
folder that a conversion of it has written."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse

    from drctl.realserver.value import Wanted
    from drctl.render.options import RenderOptions
    from drctl.render.rendered import Rendering

REPORT, MANIFEST = "report.json", ".drctl-manifest.json"
_DIRECTORS_FILE = "etc/keepalived/keepalived.conf"


def read_wanted(options: argparse.Namespace) -> tuple[Wanted, Rendering]:
    """What the host is to have, and its files with their installers. Raises UsageError for a host
    that the configuration does not know, and what reading raises."""
    path = Path(options.path)
    if path.is_dir():
        return _from_conversion(path, options)
    from drctl.cli._setup import read_setup
    from drctl.realserver.wanted import rendering_of, wanted_of
    from drctl.render.options import ARP_METHODS, NETS, RenderOptions

    setup = read_setup(options.path, options.dialect)
    chosen = RenderOptions(setup.source, options.method or ARP_METHODS[0], options.net or NETS[0])
    wanted = wanted_of(setup.hosts, options.host, chosen, setup.views)
    return wanted, rendering_of(setup.hosts, options.host, chosen)


@dataclass(frozen=True)
class _Conversion:
    folder: Path
    report: dict[str, Any]

    def host(self, name: str) -> dict[str, Any]:
        """The real server of that name or address."""
        from drctl.realserver.wanted import UnknownHost
        from drctl.render.host_address import canonical

        servers = [one for one in self.report["hosts"] if "real server" in one["role"]]
        for one in servers:
            if name == one["host"] or canonical(name) in one.get("addresses", ()):
                return dict(one)
        known = ", ".join(one["host"] for one in servers) or "none"
        is_director = name in {one["host"] for one in self.report["hosts"]}
        what = "serves nothing behind the directors" if is_director else "is no host of this setup"
        raise UnknownHost(f"--host {name} {what}; real servers are: {known}")

    def files(self, host: dict[str, Any]) -> dict[str, str]:
        """The texts of its files, by path on the host."""
        from drctl.cli.common import read_bytes

        paths = [one["path"] for one in host["files"] if one["path"].startswith("/")]
        folder = self.folder / host["host"]
        return {
            path: read_bytes(str(folder / path.lstrip("/"))).decode("utf-8", "replace")
            for path in paths
        }

    def directors_file(self) -> Path | None:
        """One director's configuration."""
        for one in self.report["hosts"]:
            file: Path = self.folder / str(one["host"]) / _DIRECTORS_FILE
            if "director" in one["role"] and file.is_file():
                return file
        return None


def _read_conversion(folder: Path) -> _Conversion:
    from drctl.cli.common import read_bytes
    from drctl.errors import UsageError

    if not (folder / MANIFEST).is_file() or not (folder / REPORT).is_file():
        raise UsageError(
            f"{folder} is no output of drctl convert: it has no {REPORT} with a {MANIFEST}"
        )
    path = folder / REPORT
    try:
        return _Conversion(folder, json.loads(read_bytes(str(path))))
    except ValueError as cause:
        raise UsageError(f"{path} is no report of drctl convert: {cause}") from cause


def _from_conversion(folder: Path, options: argparse.Namespace) -> tuple[Wanted, Rendering]:
    from drctl.errors import UsageError
    from drctl.realserver.folder import options_in, plan_in
    from drctl.render.install import with_installers
    from drctl.render.real_server import render_plan

    conversion = _read_conversion(folder)
    host = conversion.host(options.host)
    files = conversion.files(host)
    source = conversion.report["source"]
    chosen = options_in(files, source if source == "-" else Path(source).name)
    for name, given, there in (
        ("--method", options.method, chosen.arp),
        ("--net", options.net, chosen.net),
    ):
        # a server without rules has none of another method either
        if files and given not in {None, there}:
            raise UsageError(
                f"{name} {given}: {folder} was made for {there}; leave {name} out, or name the "
                "configuration itself"
            )
    plan = plan_in(files, chosen.arp, tuple(host.get("addresses", ())))
    made = render_plan(host["host"], plan, chosen)
    # what was edited in the folder is what is wanted
    kept = tuple(replace(one, text=files.get(one.path, one.text)) for one in made.files)
    rendering = with_installers(replace(made, files=kept), chosen.source)
    return _wanted(conversion, rendering, plan, chosen), rendering


def _wanted(
    conversion: _Conversion, rendering: Rendering, plan: Any, chosen: RenderOptions
) -> Wanted:
    """Services and neighbours stand in the directors' own file."""
    from drctl.cli._setup import read_setup
    from drctl.realserver.value import File, Wanted
    from drctl.realserver.wanted import boot_system, services_of

    host = next(one for one in conversion.report["hosts"] if one["host"] == rendering.host)
    addresses = tuple(host.get("addresses", ()))
    file = conversion.directors_file()
    views = () if file is None else read_setup(str(file), "keepalived").views
    services, own = services_of(views, addresses)
    directors = [
        address
        for one in conversion.report["hosts"]
        if "director" in one["role"] and one["host"] != host["host"]
        for address in one.get("addresses", ())
    ]
    return Wanted(
        rendering.host,
        plan,
        services,
        tuple(File(one.path, one.text, one.mode) for one in rendering.files),
        own,
        tuple(directors),
        boot_system(plan, chosen),
    )
