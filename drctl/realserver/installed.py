"""What drctl has put on this host, from its own notes and files: for a host that the configuration
does not know any more."""

from __future__ import annotations

import re
from pathlib import Path

from drctl.errors import DrctlError, FileRefused
from drctl.realserver.folder import options_in, plan_in
from drctl.realserver.value import File, Wanted
from drctl.realserver.wanted import boot_system
from drctl.render.install import with_installers
from drctl.render.real_server import render_plan
from drctl.render.rendered import Rendering

MANIFEST = "var/lib/drctl/manifest"
_DIRECTORS = re.compile(r"^/etc/(?:keepalived|drctl/(?:firewall|marks))|drctl-(?:director|marks)")


def read_installed(root: Path, host: str, source: str) -> tuple[Wanted, Rendering]:
    """What the boot files below `root` make of it; nothing when none were installed. Raises
    DrctlError when a director's are among them, which have steps of their own."""
    files = _files(root)
    strange = next((path for path in files if _DIRECTORS.search(path)), None)
    if strange is not None:
        raise DrctlError(
            f"{root / MANIFEST} names {strange}, a director's file; what was installed with it is "
            "taken back by the uninstall.sh that came with it"
        )
    chosen = options_in(files, source)
    plan = plan_in(files, chosen.arp, ())
    made = with_installers(render_plan(host, plan, chosen), source)
    kept = tuple(File(one.path, one.text, one.mode) for one in made.files if one.path in files)
    return Wanted(host, plan, (), kept, net=boot_system(plan, chosen)), made


def _files(root: Path) -> dict[str, str]:
    """Those that install.sh has written down, with their texts, as far as they are there."""
    path = root / MANIFEST
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
        names = [line.removeprefix("f ") for line in lines if line.startswith("f ")]
        found = {name: root / name.lstrip("/") for name in names}
        return {
            name: file.read_text("utf-8", "replace") if file.is_file() else ""
            for name, file in found.items()
        }
    except FileNotFoundError:
        return {}
    except OSError as cause:
        raise FileRefused("read", str(path), cause) from cause
