"""`drctl status`, `switch`, `pause`, `resume`, `reload` and `history` against a daemon's socket."""

from __future__ import annotations

import dataclasses
import json
import os
import pty
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drctl.cli import _daemon
from drctl.cli.main import main
from drctl.daemon.config import DaemonConfig
from drctl.daemon.control import ControlServer, Request
from drctl.daemon.history import History
from drctl.report.status import duration

STATUS = {
    "schema": 1,
    "node": "lb1",
    "pid": 100,
    "guard_pid": 101,
    "version": "0.1.0",
    "config_digest": "abc",
    "peers": [
        {
            "node": "lb2",
            "alive": True,
            "links": [{"local": "198.51.100.1", "peer": "198.51.100.2", "up": True}],
        }
    ],
    "witnesses": [
        {"interface": "eth0", "known": 3, "answering": 2},
        {"interface": "eth1", "known": 0, "answering": 0},
    ],
    "groups": [
        {
            "name": "web",
            "role": "active",
            "epoch": 17,
            "priority": 150,
            "vips": ["192.0.2.10", "192.0.2.11", "192.0.2.12"],
            "since_ms": time.time_ns() // 1_000_000 - 200_000_000,
            "reason": "lb2 was silent",
        },
        {
            "name": "mail",
            "role": "standby",
            "epoch": 3,
            "priority": 100,
            "vips": [],
            "since_ms": 0,
            "reason": "started",
        },
    ],
    "alarms": ["no witness is known on eth1"],
}

# a shell's background job ignores SIGINT, and so would what it starts
WATCH = ("env", "--default-signal=INT", sys.executable, "-m", "drctl", "status")


class Daemon:
    """A control socket behind which a thread gives prepared answers."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: dict[str, dict[str, Any]] = {"status": {"ok": True, "status": STATUS}}
        self.asked: list[Request] = []
        self._server = ControlServer(path)
        self._wake, self._wakes = os.pipe()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        poll = select.poll()
        poll.register(self._server.fileno(), select.POLLIN)
        poll.register(self._wake, select.POLLHUP)
        while not any(descriptor == self._wake for descriptor, _ in poll.poll()):
            for request in self._server.requests():
                self.asked.append(request)
                self._server.answer(request.client, self.answers[request.command])

    def close(self) -> None:
        os.close(self._wakes)
        self._thread.join()
        os.close(self._wake)
        self._server.close()


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon(tmp_path / "control.sock")
    yield made
    made.close()


def drctl(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def test_defaults_are_the_daemon_s() -> None:
    defaults = {field.name: field.default for field in dataclasses.fields(DaemonConfig)}
    assert (defaults["control"], defaults["state_dir"]) == (_daemon.CONTROL, _daemon.STATE_DIR)


def test_status_json_is_what_the_daemon_says(
    daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    assert drctl("status", "--control", daemon.path, "--json") == 0
    assert json.loads(capsys.readouterr().out) == STATUS


def test_status_shows_groups_peers_witnesses_and_alarms(
    daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    assert drctl("status", "--control", daemon.path) == 0
    page = capsys.readouterr().out
    rows = [" ".join(line.split()) for line in page.splitlines()]
    assert page.startswith("lb1: drctl 0.1.0, pid 100, guard 101, configuration abc\n")
    assert "web active 17 150 2 d 7 h 192.0.2.10 192.0.2.11 +1 lb2 was silent" in rows
    assert "lb2 heard 198.51.100.1 > 198.51.100.2 up" in rows
    assert "eth0 2 of 3 answering" in rows
    assert "eth1 none known" in rows
    assert page.endswith("\nalarm: no witness is known on eth1\n")
    assert "\x1b" not in page


def test_status_of_one_group_leaves_out_the_others(
    daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    assert drctl("status", "--control", daemon.path, "--group", "mail", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [group["name"] for group in found["groups"]] == ["mail"]
    assert drctl("status", "--control", daemon.path, "--group", "none") == 2
    assert "no group is called none; there is web, mail" in capsys.readouterr().err


def test_status_without_a_daemon_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert drctl("status", "--control", tmp_path / "none.sock") == 2
    assert "drctl run does not answer on" in capsys.readouterr().err


def test_status_watched_on_a_terminal_is_renewed_until_interrupted(daemon: Daemon) -> None:
    master, slave = pty.openpty()
    command = [*WATCH, "--control", str(daemon.path), "--watch"]
    with subprocess.Popen([*command, "--interval", "0.05"], stdout=slave, stderr=slave) as watcher:
        os.close(slave)
        seen = b""
        while seen.count(b"\x1b[H\x1b[J") < 3:
            seen += os.read(master, 65536)
        watcher.send_signal(signal.SIGINT)
        assert watcher.wait(10) == 0
    os.close(master)
    assert b"\x1b[32mactive" in seen


def test_status_watched_as_json_is_one_document_a_line(daemon: Daemon) -> None:
    command = [*WATCH, "--control", str(daemon.path), "--json"]
    with subprocess.Popen(
        [*command, "--watch", "--interval", "0.01"], stdout=subprocess.PIPE
    ) as watcher:
        assert watcher.stdout is not None
        assert [json.loads(watcher.stdout.readline()) for _ in range(2)] == [STATUS, STATUS]
        watcher.send_signal(signal.SIGINT)
        assert watcher.wait(10) == 0


def test_switch_tells_the_daemon_all_and_the_user_what_became_of_it(
    daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    done = {"group": "web", "is_done": True, "text": "lb2 is active"}
    daemon.answers["switch"] = {"ok": True, "text": "", "results": [done]}
    code = drctl(
        "switch", "--control", daemon.path, "--group", "web", "--target", "lb2", "--timeout", "7"
    )
    assert code == 0
    assert capsys.readouterr().out == "web: lb2 is active\n"
    (asked,) = daemon.asked
    assert (asked.command, asked.group, asked.target) == ("switch", "web", "lb2")
    assert asked.options == {"timeout_s": 7.0}


def test_switch_that_did_not_come_to_pass_is_exit_code_one(
    daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = {"group": "web", "is_done": False, "text": "this director is standby, not active"}
    daemon.answers["switch"] = {"ok": False, "text": "not done", "results": [refused]}
    assert drctl("switch", "--control", daemon.path) == 1
    error = capsys.readouterr().err
    assert error == "web: this director is standby, not active\ndrctl: not done\n"


@pytest.mark.parametrize("timeout", ["0", "-1", "x", "nan", "inf", "4000"])
def test_timeout_that_is_no_time_is_wrong_usage(
    timeout: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exited:
        drctl("switch", "--timeout", timeout)
    assert exited.value.code == 2
    assert "no number of seconds" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_pause_and_resume_ask_for_a_group(
    daemon: Daemon, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    result = {"group": "web", "is_done": True, "text": command}
    daemon.answers[command] = {"ok": True, "text": "", "results": [result]}
    assert drctl(command, "--control", daemon.path, "--group", "web", "--json") == 0
    assert json.loads(capsys.readouterr().out)["results"] == [result]
    assert [(asked.command, asked.group) for asked in daemon.asked] == [(command, "web")]


def test_reload_tells_why_a_configuration_is_refused(
    daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.answers["reload"] = {"ok": False, "text": "nothing changed", "lines": ["a.conf:3: bad"]}
    assert drctl("reload", "--control", daemon.path) == 1
    assert capsys.readouterr().err == "a.conf:3: bad\ndrctl: nothing changed\n"


def test_socket_is_read_from_the_configuration(
    daemon: Daemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "drctl.toml"
    config.write_text(f'node = 1\ncontrol = "{daemon.path}"\n[keys]\nunknown = true\n')
    assert drctl("status", "-c", config, "--json") == 0
    assert json.loads(capsys.readouterr().out) == STATUS


@pytest.mark.parametrize(
    ("text", "message"),
    [("control = ", "is no TOML"), ("control = 1\n", "control is no text"), (None, "cannot read")],
)
def test_configuration_that_names_no_socket_is_refused(
    tmp_path: Path, text: str | None, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "drctl.toml"
    if text is not None:
        config.write_text(text)
    assert drctl("status", "-c", config) == 2
    assert message in capsys.readouterr().err


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    now_ms = time.time_ns() // 1_000_000
    transition = {"kind": "role", "group": "web", "before": "standby", "after": "active"}
    History(tmp_path / "history.sqlite3").write(
        [
            {"kind": "start", "at_ms": now_ms - 7_200_000, "version": "0.1.0"},
            {**transition, "at_ms": now_ms - 60_000, "epoch": 7, "reason": "silent", "probes": 6},
            {"kind": "alarm", "group": "mail", "at_ms": now_ms - 1000, "reason": "a\nb"},
        ]
    )
    return tmp_path


def test_history_is_read_without_a_daemon(
    state_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = state_dir / "drctl.toml"
    config.write_text(f'state_dir = "{state_dir}"\n')
    assert drctl("history", "-c", config) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[23:] for line in lines if line[0] != " "] == [
        "  start",
        "  role  web  standby > active  epoch 7  silent",
        "  alarm  mail  a\ufffdb",
    ]
    assert lines[3] == "    probes: 6"
    assert drctl("history", "-c", config, "--group", "web", "--since", "1h", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == 1
    assert [event["evidence"] for event in document["events"]] == [{"probes": 6}]
    assert drctl("history", "-c", config, "--kind", "alarm", "--kind", "start", "--limit", 1) == 0
    assert "alarm" in capsys.readouterr().out


def test_history_of_a_socket_is_where_its_daemon_says(
    daemon: Daemon, state_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.answers["about"] = {"ok": True, "history": str(state_dir / "history.sqlite3")}
    assert drctl("history", "--control", daemon.path, "--limit", "1") == 0
    assert "alarm" in capsys.readouterr().out


def test_history_that_is_not_there_is_exit_code_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "drctl.toml"
    config.write_text(f'state_dir = "{tmp_path}"\n')
    assert drctl("history", "-c", config) == 2
    assert "there is no history" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("lasted_ms", "text"),
    [
        (-5, "0 s"),
        (999, "0 s"),
        (61_000, "1 min 1 s"),
        (3_600_000, "1 h"),
        (3_601_000, "1 h"),
        (90_061_000, "1 d 1 h"),
    ],
)
def test_duration_has_its_two_largest_units(lasted_ms: int, text: str) -> None:
    assert duration(lasted_ms) == text
