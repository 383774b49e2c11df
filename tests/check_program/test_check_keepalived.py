"""drctl-check as a running keepalived starts it: what arrives of its command line, and that its
count of good answers lasts from one run to the next."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from check_server import PROGRAM
from real_server_box import Box

from drctl.render import checkarg
from tools import need, need_root

CONFIGURATION = """\
global_defs {{
    enable_script_security
    script_user root
}}

vrrp_script asked {{
    script "{command}"
    interval 1
    timeout 9
    fall 1
    rise 1
}}

vrrp_instance VI_1 {{
    interface eth0
    virtual_router_id 51
    priority 100
    virtual_ipaddress {{
        192.0.2.10/24
    }}
    track_script {{
        asked
    }}
}}
"""
PROBE = """\
#!/bin/sh
# Tells the test what it was given and what is counted; fails the first time.
shift
{ printf '%s' "$*" | od -An -v -tx1 | tr -d ' \\n'; echo; } >>/srv/given
count=$(cat /run/drctl/check/* 2>/dev/null || echo 'nothing counted')
status=1
[ ! -e /srv/asked ] || status=0
: >/srv/asked
echo "$count" >/srv/told
exit $status
"""
ARGUMENT = "".join(chr(code) for code in range(1, 128) if chr(code) != " ") + "é\u20ac${HOME}"


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    need_root()
    need("keepalived", "keepalived")
    with Box(tmp_path) as machine:
        machine.run("ip", "link", "add", "name", "eth0", "type", "bridge")
        machine.run("ip", "addr", "add", "192.0.2.1/24", "dev", "eth0")
        machine.run("ip", "link", "set", "eth0", "up")
        machine.write(checkarg.CHECK_PATH, PROGRAM.read_text(), 0o755)
        machine.write("/srv/probe", PROBE, 0o755)
        machine.run("mkfifo", "/srv/told")
        yield machine


def test_keepalived_gives_every_byte_and_the_count_lasts(box: Box) -> None:
    command = checkarg.program(
        "192.0.2.11",
        80,
        command=f"/srv/probe %h {ARGUMENT}",
        expect=None,
        timeout_s=5,
        is_strict=True,
        reentry=3,
    )
    box.write("/etc/keepalived/keepalived.conf", CONFIGURATION.format(command=command))
    assert box.run("keepalived", "-t").stderr == ""
    reader = subprocess.Popen(
        box.command("sh", "-c", "exec cat <>/srv/told"), stdout=subprocess.PIPE, text=True
    )
    daemon = subprocess.Popen(
        box.command("keepalived", "-P", "-n", "-l", "-p", "/run/k.pid", "-r", "/run/v.pid"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert reader.stdout is not None
        told = [reader.stdout.readline().strip() for _ in range(6)]
    finally:
        daemon.terminate()
        daemon.wait(timeout=20)
        reader.terminate()
        reader.communicate()
    counted = "good answers since the failure of program 192.0.2.11 80"
    assert told == [
        "nothing counted",
        f"0 {counted}",
        f"1 {counted}",
        f"2 {counted}",
        "nothing counted",
        "nothing counted",
    ]
    given = set(box.read("/srv/given").split())
    assert given == {ARGUMENT.encode().hex()}
