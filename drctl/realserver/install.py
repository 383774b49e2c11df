"""The boot files of a running host: its own installer puts them there, or what it did goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from drctl.adapters.host_step import Step, StepFailed, goal, has_arp_chain, look
from drctl.adapters.installer import run_installer
from drctl.errors import DrctlError, FileRefused
from drctl.realserver.apply import note_kept
from drctl.realserver.journal import Journal
from drctl.render.rendered import Rendering

STATE = Path("/var/lib/drctl")
_MANIFEST = STATE / "manifest"
_SETTINGS = STATE / "sysctl-before"
_FAMILIES = ("-4", "-6")
_CHAINS = {
    "/etc/sysconfig/arptables": ("IN", "arptables"),
    "/etc/drctl/arptables.rules": ("INPUT", "arptables_jf"),
}
"""Of files with rules: a chain that they name, and the method of a host that has no such chain."""


@dataclass(frozen=True, slots=True)
class BootFiles:
    """Of a rendering; `steps` are what was done to the running kernel before."""

    rendering: Rendering
    steps: Sequence[Step]
    journal: Journal
    tell: Callable[[str], None]

    def ensure_loadable(self) -> None:
        """Raises StepFailed when their rules are for another arptables than this host's."""
        for file in self.rendering.files:
            chain, other = _CHAINS.get(file.path, ("", ""))
            if chain and not has_arp_chain(chain):
                raise StepFailed(
                    f"{file.path} names the chain {chain}, which this host's arptables does not "
                    f"have; take --method {other}"
                )

    def install(self) -> None:
        """Run install.sh. When it fails and nothing was installed before, what it did is undone;
        raises DrctlError."""
        is_fresh = not _MANIFEST.exists()
        if is_fresh:
            note_kept(self.steps, self.journal)
            self._keep_settings()
        try:
            self._run("install.sh")
        except DrctlError:
            if is_fresh:
                self._undo()
            raise

    def uninstall(self) -> None:
        """Run uninstall.sh."""
        self._run("uninstall.sh")

    def _undo(self) -> None:
        if _MANIFEST.exists():
            self._run("uninstall.sh")
            return
        _SETTINGS.unlink(missing_ok=True)
        for family in _FAMILIES:
            _route_file(family).unlink(missing_ok=True)
        if STATE.is_dir() and not any(STATE.iterdir()):
            STATE.rmdir()

    def _keep_settings(self) -> None:
        """The kernel's settings and default routes of before are those before our steps, not what
        install.sh and the host's own programs find."""
        lines = []
        for step in self.steps:
            known = self.journal.of(step)
            before = look(step) if known is None else known.before
            if step.kind == "sysctl":
                lines.append(f"{step.what} = {before}\n")
            elif step.kind == "route" and step.what in _FAMILIES and before != goal(step):
                _keep(_route_file(step.what), f"{before}\n")
        if lines:
            _keep(_SETTINGS, "".join(lines))

    def _run(self, script: str) -> None:
        made = self.rendering
        files = [(one.path, one.text, one.mode) for one in (*made.installers, *made.files)]
        for line in run_installer(files, script):
            self.tell(line)


def _route_file(family: str) -> Path:
    """Where the host's `drctl-route` looks for the default routes of before."""
    return STATE / f"default-route-{family}"


def _keep(path: Path, text: str) -> None:
    if path.exists():
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".new")
        part.write_text(text)
        part.replace(path)
    except OSError as cause:
        raise FileRefused("write", str(path), cause) from cause
