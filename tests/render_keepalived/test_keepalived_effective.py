"""A file with definitions, conditions and sequences, written out flat: keepalived says of it what
it says of the file itself."""

from __future__ import annotations

import oracle
import pytest
from effective_case import effective
from keepalived_case import difference, model_of, rendered

from tools import need, need_root

INSTANCE = """\
vrrp_instance $NAME {
    state $STATE
    interface eth0
    virtual_router_id 51
    priority ${PRIORITY}
    virtual_ipaddress {
        ${VIP}/24 dev eth0
    }
}
"""
NAMES = "$NAME=web\n$STATE=BACKUP\n$PRIORITY=100\n$VIP=192.0.2.10\n"
SERVERS = """\
$CHECK= \\
        TCP_CHECK { \\
            connect_timeout 3 \\
        }
$RS= \\
    real_server 192.0.2.$n 80 { \\
        weight $n \\
        $CHECK \\
    }
virtual_server 192.0.2.10 80 {
    lb_algo rr
    lb_kind DR
    protocol TCP
    ~SEQ(n, 21, 24) $RS
}
"""
CASES = {
    "definitions": NAMES + INSTANCE,
    "a value that is refused": NAMES.replace("100", "900") + INSTANCE,
    "an address that is refused": NAMES.replace("2.10", "2.1000") + INSTANCE,
    "a name that is not defined": NAMES.replace("$STATE=BACKUP\n", "") + INSTANCE,
    "redefinition": NAMES
    + INSTANCE
    + "$NAME=mail\n$VIP=192.0.2.11\n"
    + INSTANCE.replace("51", "52"),
    "conditions": NAMES
    + "@oracle $PRIORITY=150\n@^oracle $STATE=bad\n@other $VIP=bad\n"
    + INSTANCE.replace("    state", "    @other nonsense\n    @oracle nopreempt\n    state"),
    "sequence": SERVERS,
    "sequence of addresses": NAMES + INSTANCE.replace("${VIP}", "~SEQ(n,1,9) 192.0.2.${n}"),
    "list": NAMES
    + INSTANCE.replace(
        "${VIP}/24 dev eth0", "~LST({a,d},{192.0.2.1,eth0},{192.0.2.2,lo}) $a dev $d"
    ),
    "names of keepalived": "global_defs {\n    router_id ${_INSTANCE}\n}\n" + NAMES + INSTANCE,
    "hash": 'global_defs {\n    router_id "a${_HASH}b"\n}\n' + NAMES + INSTANCE,
}


@pytest.mark.parametrize("name", CASES)
def test_flat_file_reads_back_to_the_effective_model(name: str) -> None:
    model = effective(CASES[name], config_id="oracle").configuration
    assert difference(model, model_of(rendered(model))) == ""


@pytest.mark.parametrize("name", CASES)
def test_flat_file_is_judged_like_its_source(name: str) -> None:
    need_root()
    program = need("keepalived", "keepalived")
    before = oracle.verdict(CASES[name], program=program)
    flat = rendered(effective(CASES[name], config_id="oracle").configuration)
    after = oracle.verdict(flat, program=program)
    assert sorted(after.messages) == sorted(before.messages)
    assert after.exit == before.exit


def test_what_keepalived_refuses_shows_that_the_judge_judges() -> None:
    need_root()
    program = need("keepalived", "keepalived")
    refused = [n for n in CASES if oracle.verdict(CASES[n], program=program).exit != 0]
    assert "a value that is refused" in refused
    assert "definitions" not in refused
