"""`drctl explain FILE:LINE`: what keepalived reads there, where it came from, whether it counts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest

from drctl.cli.main import main

MAIN = """\
# the pair
$PRIO=150
$VIPS=192.0.2.10/24 \\
192.0.2.11/24
include parts/*.conf
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    @lb1 priority $PRIO
    @^lb1 priority 100

    priority 90
    virtual_ipaddress {
        $VIPS
    }
    authentication {
        auth_type PASS
        auth_pass $WORD
    }
    nopreemt
}
virtual_server 192.0.2.10 80 {
    protocol TCP
    lb_algo rr
    lb_kind DR
    ~SEQ(i, 21, 30) real_server 192.0.2.${i} 80 { weight 1 }
}
"""
PART = "$WORD=hush\n$UNUSED=1\nvrrp_instance VI_2 {\n    interface eth1\n}\n"
SECRET = "hush"


@pytest.fixture(autouse=True)
def _in_a_folder_with_the_files(tmp_path: Path) -> Iterator[None]:
    (tmp_path / "main.conf").write_text(MAIN)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "a.conf").write_text(PART)
    with chdir(tmp_path):
        yield


def explain(capsys: pytest.CaptureFixture[str], place: str, *options: str) -> list[str]:
    """The lines of the page, with one blank between words and wrapped rows joined."""
    assert main(["explain", place, "--config-id", "lb1", *options]) == 0
    text = capsys.readouterr().out.replace("\n           ", " ")
    return [" ".join(line.split()) for line in text.split("\n")]


def as_json(capsys: pytest.CaptureFixture[str], place: str, *options: str) -> dict[str, object]:
    assert main(["explain", place, "--json", "--config-id", "lb1", *options]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == 1
    found = document["topics"][0]
    assert found["kind"] == "place"
    assert isinstance(found, dict)
    return found


def line_of(text: str, begin: str) -> int:
    return next(
        number for number, line in enumerate(text.split("\n"), 1) if line.strip().startswith(begin)
    )


def test_value_of_a_definition_is_shown_with_its_place(
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = explain(capsys, "main.conf:9")
    assert "read as priority 150" in page
    assert "from line 2: $PRIO=150" in page
    assert "in vrrp_instance VI_1 (line 6)" in page
    assert "The condition @lb1 holds: this is lb1 (--config-id)." in page


def test_statement_that_is_replaced_names_the_one_that_counts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "counts no: priority 90 (line 12) counts instead" in explain(capsys, "main.conf:9")
    assert "counts yes, and priority 150 (line 9) does not" in explain(capsys, "main.conf:12")


def test_state_master_counts_wherever_it_stands(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for one, other in (("MASTER", "BACKUP"), ("BACKUP", "MASTER")):
        text = f"vrrp_instance V1 {{\ninterface eth0\nstate {one}\nstate {other}\n}}\n"
        (tmp_path / "a.conf").write_text(text)
        counting, idle = (3, 4) if one == "MASTER" else (4, 3)
        assert f"counts yes, and state BACKUP (line {idle}) does not" in explain(
            capsys, f"a.conf:{counting}"
        )


def test_bad_value_that_is_replaced_says_by_what(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = "vrrp_instance V1 {\ninterface eth0\npriority 150\npriority 300\nadvert_int 900\n}\n"
    (tmp_path / "a.conf").write_text(text)
    assert "counts not as written: a bad one is reported and 100 is used" in explain(
        capsys, "a.conf:4"
    )
    assert "counts no: priority 300 (line 4) counts instead" in explain(capsys, "a.conf:3")
    assert "counts no: keepalived drops it" in explain(capsys, "a.conf:5")


def test_line_of_another_machine_is_not_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = explain(capsys, "main.conf:10")
    assert "Not read because of @^lb1: this is lb1 (--config-id)." in page
    assert "in vrrp_instance VI_1 (line 6)" in page
    other = explain(capsys, "main.conf:10", "--config-id", "lb2")
    assert "read as priority 100" in other


def test_definition_names_its_uses_from_each_of_its_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for number in (3, 4):
        page = explain(capsys, f"main.conf:{number}")
        assert "defines $VIPS=192.0.2.10/24 (line 3) 192.0.2.11/24" in page
        assert "used by line 14: 192.0.2.11/24" in page
        assert ("used by line 14: 192.0.2.10/24" in page) == (number == 3)


def test_line_that_becomes_several_shows_all_of_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = explain(capsys, "main.conf:14")
    assert "read as 192.0.2.10/24" in page
    assert "read as 192.0.2.11/24" in page


def test_sequence_is_shown_step_by_step_and_bounded(
    capsys: pytest.CaptureFixture[str],
) -> None:
    number = line_of(MAIN, "~SEQ")
    page = explain(capsys, f"main.conf:{number}")
    assert "read as real_server 192.0.2.21 80" in page
    assert f"from line {number}: ~SEQ gives ${{i}} the value 21" in page
    assert "and 15 more effective lines" in page
    found = as_json(capsys, f"main.conf:{number}")
    assert found["count"] == 20
    assert isinstance(found["statements"], list)
    assert len(found["statements"]) == 5


def test_include_names_its_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Includes parts/a.conf: 4 effective lines." in explain(capsys, "main.conf:5")


def test_included_file_is_explained_within_the_main_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = explain(capsys, "parts/a.conf:4", "--main", "main.conf")
    assert "read as interface eth1" in page
    assert "in vrrp_instance VI_2 (line 3)" in page
    assert "from main.conf:5: include parts/*.conf" in page


def test_main_file_that_does_not_include_the_file_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = Path() / "other.conf"
    other.write_text("global_defs {\n}\n")
    assert main(["explain", "parts/a.conf:1", "--main", "other.conf"]) == 2
    assert "does not include" in capsys.readouterr().err


def test_password_is_shown_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    use = line_of(MAIN, "auth_pass")
    whole = ("--main", "main.conf")
    for place in (f"main.conf:{use}", "parts/a.conf:1"):
        for options in ((), ("--json",)):
            assert main(["explain", place, *whole, *options]) == 0
            shown = capsys.readouterr().out
            assert SECRET not in shown
            assert "********" in shown


def test_comment_blank_line_and_unused_definition_are_said_to_be_such(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "A comment." in explain(capsys, "main.conf:1")
    page = explain(capsys, "main.conf:11")
    assert "An empty line." in page
    assert "in vrrp_instance VI_1 (line 6)" in page
    assert "A definition that is used nowhere." in explain(capsys, "parts/a.conf:2")


def test_block_tells_what_it_sets_and_which_defaults_count(
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = " ".join(explain(capsys, "main.conf:6"))
    assert "sets interface, virtual_router_id, priority, virtual_ipaddress, authentication" in page
    assert "defaults advert_int (1 s), preempt_delay (0 s)" in page
    found = as_json(capsys, "main.conf:6")
    assert isinstance(found["statements"], list)
    assert {"keyword": "advert_int", "default": "1 s"} in found["statements"][0]["left_out"]


def test_findings_of_the_line_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    page = explain(capsys, f"main.conf:{line_of(MAIN, 'nopreemt')}")
    assert "help did you mean nopreempt?" in page
    assert any("[DR201 unknown-keyword]" in line for line in page)


def test_brace_names_the_block_that_it_closes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "closes virtual_ipaddress (line 13)" in explain(capsys, "main.conf:15")


def test_statement_of_an_unknown_block_is_read_where_keepalived_reads_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = "vrrp_instance V1 {\nunknown {\npriority 99\n}\naccept\n}\n"
    (tmp_path / "a.conf").write_text(text)
    assert "in vrrp_instance V1 (line 1)" in explain(capsys, "a.conf:3")
    assert "counts yes" in explain(capsys, "a.conf:3")
    assert "closes vrrp_instance V1 (line 1)" in explain(capsys, "a.conf:4")
    page = explain(capsys, "a.conf:5")
    assert any(line.startswith("counts no: ") for line in page)


def test_statement_of_a_skipped_block_names_the_block(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    one = "vrrp_instance V1 {\ninterface eth0\n}\n"
    (tmp_path / "a.conf").write_text(one * 2)
    page = explain(capsys, "a.conf:5")
    assert "counts no: keepalived skips vrrp_instance V1 (line 4) and all that is in it" in page


def test_real_servers_with_one_body_keep_their_own_places(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    servers = "".join(
        f"real_server 192.0.2.{n} 80 {{\nweight 5\nTCP_CHECK {{\n}}\n}}\n" for n in range(1, 9)
    )
    (tmp_path / "a.conf").write_text(f"virtual_server 192.0.2.10 80 {{\n{servers}}}\n")
    page = explain(capsys, "a.conf:33")
    assert "read as weight 5" in page
    assert any("real_server 192.0.2.7 80 (line 32)" in line for line in page)
    assert "counts yes" in page
    assert "closes real_server 192.0.2.7 80 (line 32)" in explain(capsys, "a.conf:36")


def test_column_chooses_among_the_statements_of_a_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a.conf").write_text("vrrp_script S { script /bin/true }\n")
    page = explain(capsys, "a.conf:1:20")
    assert "read as script /bin/true" in page
    assert "read as vrrp_script S" not in page
    assert "read as vrrp_script S" in explain(capsys, "a.conf:1:3")


def test_fragment_is_explained_as_the_inside_of_a_block(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a.conf").write_text("real_server 192.0.2.21 80 {\nweight 7\n}\n")
    page = explain(capsys, "a.conf:2")
    assert "counts yes" in page
    assert any("--main FILE" in line for line in page)


def test_later_lines_of_a_long_file_are_found(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = "".join(
        f"virtual_server 192.0.2.{n} 80 {{\nprotocol TCP\nquorum {n}\n}}\n" for n in range(1, 201)
    )
    (tmp_path / "a.conf").write_text(text)
    page = explain(capsys, "a.conf:799")
    assert "read as quorum 200" in page
    assert "in virtual_server 192.0.2.200 80 (line 797)" in page


def test_block_names_the_settings_of_global_defs_that_count_in_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = (
        "global_defs {\nvrrp_garp_master_delay 10\nvrrp_version 3\nsmtp_alert_vrrp on\n}\n"
        "vrrp_instance V1 {\ninterface eth0\nversion 2\n}\n"
    )
    (tmp_path / "a.conf").write_text(text)
    page = explain(capsys, "a.conf:6")
    assert "follows garp_master_delay: vrrp_garp_master_delay 10 (line 2)" in page
    assert "follows smtp_alert: smtp_alert_vrrp on (line 4)" in page
    assert not any(line.startswith("follows version") for line in page)


@pytest.mark.parametrize(
    ("statement", "value"),
    [("advert_int 0.5", "0.5 s"), ("strict_mode", "on"), ("smtp_alert no", "off")],
)
def test_value_is_shown_with_its_unit(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, statement: str, value: str
) -> None:
    (tmp_path / "a.conf").write_text(f"vrrp_instance V1 {{\ninterface eth0\n{statement}\n}}\n")
    assert f"value {value}" in explain(capsys, "a.conf:3")


def test_template_is_said_to_be_one(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text("global_defs {\n router_id {{ name }}\n}\n")
    page = explain(capsys, "a.conf:1", "--dialect", "keepalived")
    assert any(line.startswith("This file is a template") for line in page)


LVS = """\
primary = 192.0.2.2
service = lvs
backup = 192.0.2.3
keepalive = 0x10
keepalive = 3

virtual web {
    active = 1
    address = 192.0.2.10 eth0:1
    server one {
        address = 192.0.2.21
        # the rest
    }
}
"""


def test_lvs_cf_statement_tells_what_becomes_of_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "lvs.cf").write_text(LVS)
    page = explain(capsys, "lvs.cf:5")
    assert "gives pulse.keepalive_ms: 3 s" in page
    assert "default 2 s, without this line" in page
    assert "pulse pulse 0.8.6 accepts this file" in page
    assert "counts no: line 5 has the same keyword, the last one counts" in explain(
        capsys, "lvs.cf:4"
    )


def test_lvs_cf_block_tells_its_defaults(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "lvs.cf").write_text(LVS)
    page = " ".join(explain(capsys, "lvs.cf:7"))
    assert "sets active, address, server" in page
    assert "port (80)" in page
    assert "scheduler (wlc)" in page
    inner = explain(capsys, "lvs.cf:11")
    assert "in virtual web (line 7) server one (line 10)" in inner
    assert "A comment." in explain(capsys, "lvs.cf:12")
    closing = explain(capsys, "lvs.cf:13")
    assert "Closes server one (line 10)." in closing


def test_lvs_cf_block_that_is_skipped_counts_for_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "lvs.cf").write_text(LVS)
    skipped = "counts no: server one (line 10) is skipped without active = 1"
    assert skipped in explain(capsys, "lvs.cf:11")
    assert skipped in explain(capsys, "lvs.cf:10")
    assert "counts yes" in explain(capsys, "lvs.cf:9")
    (tmp_path / "lvs.cf").write_text(LVS.replace("service = lvs", "service = fos"))
    assert "counts no: service is fos, so virtual blocks are ignored" in explain(capsys, "lvs.cf:9")


def test_lvs_cf_that_pulse_rejects_says_so(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "lvs.cf").write_text(LVS.replace("service = lvs", "service=lvs"))
    found = as_json(capsys, "lvs.cf:2")
    assert found["pulse"] is not None
    page = " ".join(explain(capsys, "lvs.cf:9"))
    assert "pulse 0.8.6 rejects this file at line 2" in page


FOLLOWING = """\
global_defs {
smtp_alert on
vrrp_garp_master_delay 7
}
vrrp_script s {
script "/bin/true"
interval 3
timeout 2
}
virtual_server 192.0.2.1 80 {
delay_loop 9
retry 4
real_server 192.0.2.11 80 {
retry 2
weight 3
DNS_CHECK {
retry 1
}
}
}
"""


def test_left_out_keyword_follows_the_blocks_around_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a.conf").write_text(FOLLOWING)
    server = explain(capsys, "a.conf:13")
    assert "follows delay_loop: delay_loop 9 (line 11)" in server
    assert "follows smtp_alert: smtp_alert on (line 2)" in server
    check = explain(capsys, "a.conf:16")
    assert "follows delay_loop: delay_loop 9 (line 11)" in check
    assert "follows delay_before_retry: delay_loop 9 (line 11)" in " ".join(check)
    assert not any(line.startswith("follows retry") for line in check)


def test_default_of_a_line_is_what_counts_without_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a.conf").write_text(FOLLOWING)
    assert "default retry 2 (line 14), without this line" in explain(capsys, "a.conf:17")
    assert "default retry 4 (line 12), without this line" in explain(capsys, "a.conf:14")
    assert "default 1, without this line" in explain(capsys, "a.conf:15")
    assert "default interval 3 (line 7), without this line" in explain(capsys, "a.conf:8")


def test_json_of_a_left_out_keyword_names_the_line_it_follows(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a.conf").write_text(FOLLOWING)
    found = as_json(capsys, "a.conf:13")
    assert isinstance(found["statements"], list)
    rows = {row["keyword"]: row for row in found["statements"][0]["left_out"]}
    assert rows["delay_loop"]["default"] == "9"
    assert rows["delay_loop"]["from"]["line"] == 11
    assert rows["connect_timeout"] == {"keyword": "connect_timeout", "default": "5 s"}
