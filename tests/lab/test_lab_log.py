"""Which services a keepalived's log says that checks changed."""

from __future__ import annotations

import sys
from pathlib import Path

from drctl.lab.guest.director import changes_in

LOG = """\
Adding service [192.0.2.21]:tcp:80 to VS [192.0.2.10]:tcp:80
Removing service [192.0.2.22]:none:0 from VS FWM 21
Disabling service [192.0.2.22]:tcp:443 of VS [192.0.2.10]:tcp:443
Removing service [192.0.2.22]:tcp:80 from VS group-of-vips
Changing weight from 1 to 3 for active service [192.0.2.21]:tcp:80 of VS [192.0.2.10]:tcp:80
Gained quorum 1+0=1 <= 1 for VS FWM 21
Activating healthchecker for service [192.0.2.21]:tcp:80 for VS [192.0.2.10]:tcp:80
"""


def test_changes_in_a_log_are_by_ipvs_name_of_the_service() -> None:
    assert changes_in(LOG) == {
        "TCP 192.0.2.10:80": 2,
        "FWM 21": 1,
        "TCP 192.0.2.10:443": 1,
        "": 1,
    }


def test_guest_program_imports_nothing_but_the_standard_library_and_the_plan() -> None:
    package = Path(sys.modules["drctl.lab.guest.director"].__file__ or "").parent
    allowed = {*sys.stdlib_module_names, "drctl.lab.guest", "drctl.lab.plan"}
    for file in package.glob("*.py"):
        for line in file.read_text().splitlines():
            words = line.split()
            if words[:1] in (["import"], ["from"]):
                name = words[1]
                own = name == "drctl.lab.plan" or name.startswith("drctl.lab.guest")
                assert own or name.partition(".")[0] in allowed, f"{file.name}: {line}"
