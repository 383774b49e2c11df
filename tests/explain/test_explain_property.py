"""Every line of any text is explained, in both formats, without a crash."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drctl.cli.main import main

PIECES = st.sampled_from(
    [
        *("vrrp_instance V1 {", "virtual_ipaddress {", "192.0.2.10/24", "priority 100", "{", "}"),
        *(
            "$A=1",
            "$A",
            "${A}",
            "$B=a \\",
            "b \\",
            "@lb1 state BACKUP",
            "@^lb1",
            "@",
            "~SEQ(i,1,3)",
        ),
        *("~SEQ(i,1,2) real_server 192.0.2.$i 80 { weight 1 }", "include absent.conf", "include ."),
        *("auth_pass x", "unknown {", '"open', "# comment", "", "global_defs {", "nopreempt off"),
        *("virtual_server 192.0.2.1 80 {", "real_server 192.0.2.2 80 {", "TCP_CHECK {", "\0", "\r"),
        *(
            "virtual web {",
            "active = 1",
            "server a {",
            "address = 192.0.2.1",
            "primary = 192.0.2.2",
        ),
    ]
)
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=12)), min_size=1, max_size=25).map("\n".join)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=TEXTS, data=st.data())
def test_any_line_of_any_text_is_explained(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, data: st.DataObject
) -> None:
    file = tmp_path / "a.conf"
    file.write_bytes(f"{text}\n".encode("utf-8", "surrogatepass"))
    number = data.draw(st.integers(1, text.count("\n") + 1))
    dialect = data.draw(st.sampled_from(["auto", "keepalived", "lvs.cf"]))
    arguments = ["explain", f"{file}:{number}", "--dialect", dialect, "--config-id", "lb1"]
    assert main(arguments) == 0
    page = capsys.readouterr().out
    assert page.startswith(f"{file}:{number}")
    assert main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["topics"][0]
    assert found["line"] == number
    assert len(found["statements"]) <= 5
