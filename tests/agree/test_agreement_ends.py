"""Where a text or a line ends too early: what keepalived -t and drctl lint make of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from agree.test_agreement import keepalived, reasons_of

__all__ = ["keepalived"]

SERVICE = """virtual_server 192.0.2.1 80 {
    lb_algo rr
    lb_kind DR
    protocol TCP
    real_server 192.0.2.11 80 {
"""
INSTANCE = """vrrp_instance V1 {
    interface eth0
    virtual_router_id 51
    virtual_ipaddress {
        192.0.2.1
    }
"""
TEXTS = {
    "instance": INSTANCE + "use_vmac\nunicast_ttl 5\nunicast_src_ip 192.0.2.3\n",
    "script": "vrrp_script S {\ninterval 2\n",
    "bfd": "bfd_instance B {\nmultiplier 3\n",
    "garp group": "garp_group {\ninterface eth0\n",
    "members": "vrrp_sync_group G {\ngroup {\n",
    "url": f"{SERVICE}HTTP_GET {{\n",
    "check by a file": f"{SERVICE}FILE_CHECK {{\n",
    "check of another family": SERVICE.replace("192.0.2.11", "2001:db8::11"),
    "escape of a script": 'vrrp_script S {\nscript "/usr/bin/true" \\\n}\n',
    "escape of a check": f"{SERVICE}MISC_CHECK {{\nmisc_path /usr/bin/true \\\n}}\n}}\n}}\n",
    "escape of a hook": f'{INSTANCE}notify_master "/usr/bin/true"\\\n}}\n',
    "quote of a script": f'vrrp_script S {{\nscript /usr/bin/true"\n}}\n{INSTANCE}}}\n',
    "condition": '@other router_id "x',
    "swallowed": f"virtual_ipaddress {{\n192.0.2.1\n{INSTANCE}}}\n}}\nstate MASTER\n",
}


@pytest.mark.usefixtures("keepalived")
@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_ends_too_early_agrees(name: str, tmp_path: Path) -> None:
    assert reasons_of(TEXTS[name], tmp_path) == []
