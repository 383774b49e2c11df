"""Running programs that would hold the same VIPs."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from netns_case import segment

from drctl.adapters.rival import Rival, find_rivals
from drctl.daemon.rival_check import RivalRuns, check_rivals
from tools import need, need_root

INSTANCE = """\
vrrp_instance web {
    state BACKUP
    interface eth0
    virtual_router_id 51
    virtual_ipaddress {
        192.0.2.10/24
    }
}
"""


def _process(proc: Path, pid: int, command: str, *, parent: int = 1, state: str = "S") -> None:
    """An entry as the kernel shows it."""
    entry = proc / str(pid)
    (entry / "ns").mkdir(parents=True)
    (entry / "status").write_text(f"Name:\tx\nState:\t{state} (x)\nPid:\t{pid}\nPPid:\t{parent}\n")
    (entry / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in command.split()))
    (entry / "ns" / "net").symlink_to("net:[1]")
    (entry / "cwd").symlink_to("/srv")
    (entry / "root").symlink_to("/")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("/usr/sbin/keepalived", "/etc/keepalived/keepalived.conf"),
        ("keepalived -D -f /a.conf", "/a.conf"),
        ("keepalived -Df/a.conf", "/a.conf"),
        ("keepalived --use-file=/a.conf", "/a.conf"),
        ("keepalived --use-f /a.conf -n", "/a.conf"),
        ("keepalived -f a.conf", "/srv/a.conf"),
        ("keepalived -p -C -P", "/etc/keepalived/keepalived.conf"),
        ("keepalived --check --all", "/etc/keepalived/keepalived.conf"),
        ("keepalived -P -C", "/etc/keepalived/keepalived.conf"),
        ("/usr/sbin/pulse", "/etc/sysconfig/ha/lvs.cf"),
        ("pulse -n -c /b.cf", "/b.cf"),
        ("keepalived -C", None),
        ("keepalived --check -D", None),
        ("keepalived --config-t", None),
        ("keepalived -lnC", None),
        ("keepalived -t -f /a.conf", None),
        ("keepalived --config-test=/tmp/log", None),
        ("keepalived --signum=RELOAD", None),
        ("vi keepalived.conf", None),
        ("sh -c keepalived", None),
    ],
)
def test_a_command_line_tells_whether_vips_are_moved(
    command: str, expected: str | None, tmp_path: Path
) -> None:
    _process(tmp_path, 7, command)
    assert [one.path for one in find_rivals(str(tmp_path), "")] == [expected] * bool(expected)


def test_the_configuration_id_is_told(tmp_path: Path) -> None:
    _process(tmp_path, 7, "keepalived -i lb2 -f /a.conf")
    assert find_rivals(str(tmp_path), "") == [Rival("keepalived", 7, "/a.conf", "lb2")]


def test_children_and_the_dead_and_other_namespaces_do_not_count(tmp_path: Path) -> None:
    _process(tmp_path, 7, "keepalived")
    _process(tmp_path, 8, "keepalived", parent=7)
    _process(tmp_path, 9, "pulse", state="Z")
    assert [one.pid for one in find_rivals(str(tmp_path), "net:[1]")] == [7]
    assert find_rivals(str(tmp_path), "net:[2]") == []


def test_a_rival_with_other_vips_is_no_hindrance(tmp_path: Path) -> None:
    path = tmp_path / "keepalived.conf"
    path.write_text(INSTANCE)
    rival = Rival("keepalived", 7, str(path))
    check_rivals({"192.0.2.11"}, [rival])
    with pytest.raises(RivalRuns, match=r"192\.0\.2\.10 too .*keepalived --check"):
        check_rivals({"192.0.2.10"}, [rival])


def test_a_rival_whose_file_cannot_be_read_is_a_hindrance(tmp_path: Path) -> None:
    with pytest.raises(RivalRuns, match="what it manages is unknown: cannot read"):
        check_rivals({"192.0.2.10"}, [Rival("pulse", 7, str(tmp_path / "none"))])


def test_a_keepalived_that_runs_is_found_by_its_parent(tmp_path: Path) -> None:
    keepalived = need("keepalived", "keepalived")
    path = tmp_path / "keepalived.conf"
    path.write_text(INSTANCE)
    with segment() as made:
        host = made.host("lb1", "192.0.2.1/24")
        command = ["ip", "netns", "exec", host.namespace, keepalived, "-P", "-n", "-l"]
        command += ["-f", str(path), "-p", str(tmp_path / "pid"), "-r", str(tmp_path / "vrrp")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as running:
            try:
                assert running.stdout is not None
                for line in running.stdout:
                    if b"Entering BACKUP STATE" in line or b"Startup complete" in line:
                        break
                namespace = os.readlink(f"/proc/{running.pid}/ns/net")  # noqa: PTH115
                (found,) = find_rivals(own_namespace=namespace)
                assert (found.pid, found.path) == (running.pid, str(path))
                with pytest.raises(RivalRuns):
                    check_rivals({"192.0.2.10"}, [found])
            finally:
                running.terminate()
                running.communicate(timeout=10)


def test_a_daemon_with_few_rights_finds_those_of_its_own_network_alone() -> None:
    """Without CAP_SYS_PTRACE the namespaces of a process with more rights are hidden."""
    need_root()
    need("setpriv", "util-linux")
    few = ["setpriv", "--bounding-set=-all,+net_admin,+net_raw", "--inh-caps=-all"]
    program = "from drctl.adapters.rival import find_rivals; print([r.pid for r in find_rivals()])"
    named = ("bash", "-c", "exec -a keepalived sleep 60")
    with segment() as made:
        command = made.host("other", "192.0.2.1/24").command(*named)
        with subprocess.Popen(named) as here, subprocess.Popen(command) as elsewhere:
            try:
                until(lambda: cmdline(here).startswith(b"keepalived"))
                until(lambda: cmdline(elsewhere).startswith(b"keepalived"))
                shown = subprocess.run(
                    [*few, sys.executable, "-c", program], capture_output=True, check=True
                )
            finally:
                here.kill()
                elsewhere.kill()
    found = json.loads(shown.stdout)
    assert here.pid in found
    assert elsewhere.pid not in found


def cmdline(process: subprocess.Popen[bytes]) -> bytes:
    return Path(f"/proc/{process.pid}/cmdline").read_bytes()


def until(is_it: Callable[[], bool]) -> None:
    limit_s = time.monotonic() + 10
    while not is_it():
        assert time.monotonic() < limit_s
        select.select((), (), (), 0.01)
