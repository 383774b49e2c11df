"""What `drctl verify` imports before its first question: each is paid for in every run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CONFIGURATION = """\
vrrp_instance V {
    interface eth0
    virtual_router_id 51
    priority 150
    unicast_src_ip 198.51.100.1
    unicast_peer {
        198.51.100.2
    }
    virtual_ipaddress {
        192.0.2.100
    }
}
virtual_server 192.0.2.100 80 {
    lb_kind DR
    protocol TCP
    real_server 198.51.100.21 80 {
    }
}
"""
PROGRAM = """\
import sys
from drctl.adapters.survey import Card
from drctl.cli._setup import read_setup
from drctl.verify.look import read_machine
from drctl.verify.plan import Machine, plan_of_hosts

read_machine()
setup = read_setup(sys.argv[1], "auto")
machine = Machine((Card("eth0", (("198.51.100.9", 24),)),), {}, frozenset())
plan = plan_of_hosts(setup.views, setup.hosts, machine, "eth0")
assert len(plan.stations) == 3, plan
slow = {"ctypes", "dataclasses", "hashlib", "inspect", "pathlib"}
unused = {"drctl.convert.lower", "drctl.core.value", "drctl.verify.through"}
print(*sorted((slow | unused) & sys.modules.keys()))
"""


def test_plan_is_made_without_modules_that_take_long_to_import(tmp_path: Path) -> None:
    file = tmp_path / "keepalived.conf"
    file.write_text(CONFIGURATION)
    command = [sys.executable, "-c", PROGRAM, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
