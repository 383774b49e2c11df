"""The units that `drctl run --units` writes, judged by systemd itself."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from drctl.cli.main import main
from drctl.daemon.service_unit import UNITS, Installation, quoted, units
from drctl.errors import UsageError
from tools import need

PROGRAM = ("/opt/drctl/bin/drctl",)
MOST_EXPOSED = 3.0


def made(config: str = "/etc/drctl/drctl.toml", **more: tuple[str, ...] | tuple[int, ...]) -> str:
    return units(Installation(PROGRAM, config, **more))["drctl.service"]  # type: ignore[arg-type]


def setting(unit: str, name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", unit, re.MULTILINE)


def write(folder: Path) -> Path:
    """The units as this installation has them, in a folder."""
    toml = folder / "drctl.toml"
    assert main(["run", "-c", str(toml), "--units", str(folder)]) == 0
    return folder / "drctl.service"


def test_units_are_what_systemd_understands(tmp_path: Path) -> None:
    analyze = need("systemd-analyze", "systemd")
    write(tmp_path)
    # the socket's instance has to be found beside it
    names = [str(tmp_path / name) for name in UNITS]
    done = subprocess.run(
        [analyze, "verify", "--man=no", "--recursive-errors=no", *names],
        capture_output=True,
        text=True,
        check=False,
        env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "PATH": "/usr/bin:/bin"},
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_daemon_is_hardly_exposed(tmp_path: Path) -> None:
    analyze = need("systemd-analyze", "systemd")
    unit = write(tmp_path)
    done = subprocess.run(
        [analyze, "security", "--offline=yes", f"--threshold={MOST_EXPOSED * 10:.0f}", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-400:]


def test_daemon_has_two_capabilities_and_a_third_for_a_low_port() -> None:
    few = "CAP_NET_ADMIN CAP_NET_RAW"
    assert setting(made(ports=(5390,)), "CapabilityBoundingSet") == [few]
    more = made(ports=(5390, 539))
    assert setting(more, "CapabilityBoundingSet") == [f"{few} CAP_NET_BIND_SERVICE"]


def test_commands_are_this_installation() -> None:
    unit = made()
    (start,) = setting(unit, "ExecStart")
    assert start == "/opt/drctl/bin/drctl run -c /etc/drctl/drctl.toml"
    (reload,) = setting(unit, "ExecReload")
    assert reload == "/opt/drctl/bin/drctl reload -c /etc/drctl/drctl.toml"
    (release,) = setting(unit, "ExecStopPost")
    assert release == f"{sys.executable} -s -P -m drctl.daemon.release /etc/drctl/drctl.toml"


def test_folders_elsewhere_are_writable_and_homes_are_seen_when_needed() -> None:
    unit = made("/run/user/7/drctl.toml", written=("/srv/lb/state", "/run/drctl", "/var/lib/drctl"))
    assert "-/srv/lb/state" in setting(unit, "ReadWritePaths")
    assert "-/run/drctl" not in setting(unit, "ReadWritePaths")
    assert setting(unit, "ProtectHome") == ["read-only"]
    assert setting(made("/tmp/lb/drctl.toml"), "PrivateTmp") == ["no"]


def test_every_blank_of_the_templates_is_filled() -> None:
    for name, text in units(Installation(PROGRAM, "/etc/drctl/drctl.toml")).items():
        assert not re.findall("@[A-Z_]+@", text), name


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("/etc/drctl/drctl.toml", "/etc/drctl/drctl.toml"),
        ("/srv/two words", '"/srv/two words"'),
        ("/srv/100%", '"/srv/100%%"'),
        ('/srv/"$x"', '"/srv/\\"$$x\\""'),
    ],
)
def test_paths_are_quoted_as_units_want_it(word: str, expected: str) -> None:
    assert quoted(word) == expected


def test_a_path_with_a_line_feed_is_refused() -> None:
    with pytest.raises(UsageError):
        quoted("/etc/a\nExecStart=/bin/sh")


def test_units_are_printed_without_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "-c", str(tmp_path / "none.toml"), "--units", "-"]) == 0
    shown = capsys.readouterr()
    assert all(f"### {name}" in shown.out for name in UNITS)
    assert "none.toml" in shown.err
