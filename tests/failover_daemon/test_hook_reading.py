"""What is tracked reaches the process that watches it, with all that the configuration says."""

from __future__ import annotations

from drctl.core.value import Settings
from drctl.daemon.failover_settings import Failover
from drctl.daemon.hook_reading import hook_settings
from drctl.daemon.hook_value import Program, TrackFile, TrackScript
from drctl.daemon.tracked import Watch
from drctl.model.tracking import TrackFile as ConfiguredFile
from drctl.model.vrrp import TrackScript as ConfiguredScript


def made(*watches: Watch) -> Failover:
    return Failover(Settings("lb1", (), (), ()), (), (), watches)


def test_tracked_script_is_watched_as_configured() -> None:
    script = ConfiguredScript(
        "web", "/bin/check 'a b'", 500, 300, rise=2, fall=3, starts_failed=True
    )
    watch = Watch("script:web", "script", "web", script)
    program = Program(("/bin/check", "a b"))
    assert hook_settings(made(watch), "").tracks == (
        TrackScript("script:web", program, 500, 300, 2, 3, starts_failed=True),
    )


def test_tracked_file_is_watched_as_configured() -> None:
    file = ConfiguredFile("load", "/run/load", initial=3, overwrites=True)
    watch = Watch("file:load", "file", "load", file)
    assert hook_settings(made(watch), "").files == (
        TrackFile("file:load", "/run/load", 3, overwrites=True),
    )
