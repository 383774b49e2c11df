"""What is tracked reaches the process that watches it, with all that the configuration says."""

from __future__ import annotations

import pytest

from drctl.core.value import Settings
from drctl.daemon.failover_settings import Failover
from drctl.daemon.hook_reading import hook_settings
from drctl.daemon.hook_value import Program, TrackFile, TrackProcess, TrackScript
from drctl.daemon.tracked import Watch
from drctl.model.origin import Origins
from drctl.model.tracking import TrackFile as ConfiguredFile
from drctl.model.tracking import TrackProcess as ConfiguredProcess
from drctl.model.vrrp import TrackScript as ConfiguredScript
from drctl.text.place import Place


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


def process(configured: ConfiguredProcess) -> TrackProcess:
    watch = Watch("process:web", "process", "web", configured)
    (found,) = hook_settings(made(watch), "").processes
    return found


def test_tracked_process_is_watched_as_configured() -> None:
    assert process(ConfiguredProcess("web", "nginx")) == TrackProcess("process:web", "nginx")
    configured = ConfiguredProcess(
        "web",
        "/usr/sbin/nginx",
        ("-g", "daemon off;"),
        fork_delay_us=1,
        terminate_delay_us=1_500_000,
        quorum=2,
        quorum_max=5,
    )
    assert process(configured) == TrackProcess(
        "process:web", "/usr/sbin/nginx", ("-g", "daemon off;"), "exact", True, 2, 5, 1, 1500
    )
    whole = process(ConfiguredProcess("web", "/usr/sbin/nginx", is_full_command=True))
    assert (whole.match, whole.is_full_command) == ("", True)
    matched = process(ConfiguredProcess("web", "/usr/sbin/nginx", match="initial"))
    assert (matched.match, matched.is_full_command) == ("initial", True)


@pytest.mark.parametrize(
    ("first", "quorum", "most", "expected"),
    [
        ("", None, None, (1, None)),
        ("", 3, None, (3, None)),
        ("", None, 4, (1, 4)),
        ("", None, 0, (0, 0)),
        ("quorum", 1, 0, (0, 0)),
        ("quorum_max", 1, 0, (0, 0)),
        ("quorum", 4, 2, (4, None)),
        ("quorum_max", 4, 2, (1, 2)),
        ("quorum", 2, 0, (2, None)),
    ],
)
def test_quorums_that_contradict_each_other_are_those_of_keepalived(
    first: str, quorum: int | None, most: int | None, expected: tuple[int, int | None]
) -> None:
    names = ["quorum", "quorum_max"] if first != "quorum_max" else ["quorum_max", "quorum"]
    origins: Origins = {
        name: (Place("keepalived.conf", line, 1, line, 2),) for line, name in enumerate(names, 1)
    }
    found = process(
        ConfiguredProcess("web", "nginx", quorum=quorum, quorum_max=most, origins=origins)
    )
    assert (found.quorum, found.quorum_max) == expected
