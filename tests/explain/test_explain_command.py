"""`drctl explain` as a command: topics, options, refusals, JSON, start-up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from drctl.cli.main import main


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["explain", *arguments])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_keyword_page_has_all_its_parts(capsys: pytest.CaptureFixture[str]) -> None:
    code, page, _ = run(capsys, "advert_int")
    assert code == 0
    assert page.startswith("advert_int (keepalived, in vrrp_instance)\n\n    advert_int TIME\n")
    words = " ".join(page.split())
    for part in (
        "range 0.01..255",
        "number of seconds with up to 6 decimals, without the unit",
        "default 1 s",
        "example advert_int 1",
        "see also",
    ):
        assert part in words, part


def test_keyword_of_several_blocks_is_told_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    _, page, _ = run(capsys, "weight")
    titles = [line for line in page.split("\n") if line.startswith("weight (")]
    assert len(titles) >= 6
    assert any("lvs.cf" in title for title in titles)


@pytest.mark.parametrize(
    "arguments",
    [
        ("real_server/weight", "--dialect", "keepalived"),
        ("virtual_server.real_server.weight",),
        ("weight", "--in", "virtual_server/real_server"),
    ],
)
def test_block_narrows_a_keyword_down(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    code, page, _ = run(capsys, *arguments)
    assert code == 0
    assert [line for line in page.split("\n") if line.startswith("weight (")] == [
        "weight (keepalived, in virtual_server/real_server)"
    ]


def test_dialect_narrows_a_keyword_down(capsys: pytest.CaptureFixture[str]) -> None:
    _, page, _ = run(capsys, "protocol", "--dialect", "lvs.cf")
    assert page.startswith("protocol (lvs.cf, in virtual)\n\n    protocol = tcp|udp\n")
    assert "keepalived" not in page.split("\n")[0]


@pytest.mark.parametrize(("written", "name"), [("PRIORITY", "priority"), ("Http_Get", "HTTP_GET")])
def test_keyword_in_another_case_is_found(
    capsys: pytest.CaptureFixture[str], written: str, name: str
) -> None:
    code, page, _ = run(capsys, written)
    assert code == 0
    assert page.startswith(f"{name} (")


def test_keyword_with_a_case_of_its_own_is_not_mixed_with_another(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, page, _ = run(capsys, "SSL_GET")
    assert len([line for line in page.split("\n") if line.startswith("SSL_GET (")]) == 1


def test_alias_is_explained_as_its_keyword(capsys: pytest.CaptureFixture[str]) -> None:
    _, page, _ = run(capsys, "neighbour_ip")
    assert page.startswith("neighbor_ip (")
    assert "aliases    neighbour_ip" in page


@pytest.mark.parametrize(
    ("written", "name"),
    [("$NAME", "$NAME="), ("${X}", "$NAME="), ("@lb1", "@ID"), ("@^lb1", "@^ID"),
     ("~SEQ", "~SEQ()"), ("~seqX(i,1)", "~SEQx()"), ("~LST", "~LST()"), ("include", "include")],
)  # fmt: skip
def test_directive_of_the_lexer_is_explained(
    capsys: pytest.CaptureFixture[str], written: str, name: str
) -> None:
    code, page, _ = run(capsys, written)
    assert code == 0
    assert page.startswith(f"{name} (keepalived, in any block (the lexer))")


def test_lines_of_a_value_block_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    _, page, _ = run(capsys, "virtual_ipaddress/<entry>")
    assert "ADDRESS[/PREFIX]" in page


def test_misspelt_keyword_is_refused_with_a_suggestion(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, page, refusal = run(capsys, "prority")
    assert (code, page) == (2, "")
    assert "did you mean priority" in refusal


def test_keyword_of_another_block_is_refused_with_its_home(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, _, refusal = run(capsys, "virtual_server/priority")
    assert code == 2
    assert "it stands in vrrp_instance" in refusal


def test_version_that_does_not_know_the_keyword_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    old = " ".join(run(capsys, "auth_hmac")[1].split())
    assert "keepalived 2.2.7 does not know this keyword." in old
    new = run(capsys, "auth_hmac", "--target-version", "2.4.1")[1]
    assert "does not know" not in new


def test_arguments_are_those_of_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    _, old, _ = run(capsys, "vrrp_script/interval")
    _, new, _ = run(capsys, "vrrp_script/interval", "--target-version", "2.4.0")
    assert "TIME whole number of seconds" in " ".join(old.split())
    assert "TIME number of seconds with up to 3 decimals, without the unit" in " ".join(new.split())


def test_code_and_name_of_a_finding_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    _, by_code, _ = run(capsys, "dr211")
    _, by_name, _ = run(capsys, "bad-value")
    assert by_code == by_name
    assert by_code.startswith("DR211 bad-value (error)\n")


@pytest.mark.parametrize(
    ("topic", "refusal"),
    [
        ("DR999", "no code of drctl"),
        ("{folder}/a.conf", "write {folder}/a.conf:LINE"),
        ("{folder}/a.conf:3", "has 2 lines, there is no line 3"),
        ("{folder}/a.conf:0", "there is no line 0"),
        ("{folder}/a.conf:1:99", "there is no column 99"),
        ("{folder}/absent.conf:1", "No such file"),
        ("{folder}:1", "it is a directory"),
    ],
)
def test_topic_that_is_not_there_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, topic: str, refusal: str
) -> None:
    (tmp_path / "a.conf").write_text("global_defs {\n}\n")
    code, page, told = run(capsys, topic.format(folder=tmp_path))
    assert (code, page) == (2, "")
    assert refusal.format(folder=tmp_path) in told


def test_version_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "priority", "--target-version", "new")[0] == 2


def test_empty_file_has_no_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text("")
    code, _, told = run(capsys, f"{tmp_path}/a.conf:1")
    assert code == 2
    assert "has 0 lines" in told


def test_last_numbers_of_a_name_with_colons_count(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "C:7").write_text("# one\nuse_pid_dir\n")
    _, page, _ = run(capsys, f"{tmp_path}/C:7:2")
    assert "read as    use_pid_dir" in page


def test_several_topics_follow_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    _, page, _ = run(capsys, "nopreempt", "DR211")
    assert page.index("nopreempt (") < page.index("DR211 bad-value")
    assert "\n\nDR211" in page


@pytest.mark.parametrize("columns", [60, 75])
def test_pages_are_as_wide_as_the_terminal(columns: int) -> None:
    command = [sys.executable, "-m", "drctl", "explain", "vrrp_instance", "DR353", "vrrp_strict"]
    environment = {**os.environ, "COLUMNS": str(columns)}
    page = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert columns - 10 < max(map(len, page.stdout.split("\n"))) <= columns


def test_json_has_the_documented_keys(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text("use_pid_dir\n")
    _, text, _ = run(capsys, "--json", "priority", "DR211", f"{tmp_path}/a.conf:1")
    document = json.loads(text)
    assert document["schema"] == 1
    keyword, code, place = document["topics"]
    assert (keyword["kind"], code["kind"], place["kind"]) == ("keyword", "code", "place")
    assert keyword["keywords"][0]["arguments"][0]["maximum"] == 255
    assert code["code"] == "DR211"
    assert place["statements"][0]["statement"] == "use_pid_dir"


def test_standard_input_is_explained() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "drctl", "explain", "--", "-:1"],
        input="use_pid_dir\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert "read as    use_pid_dir" in done.stdout


@pytest.mark.parametrize("topic", ["priority", "DR211"])
def test_start_imports_nothing_heavy(topic: str) -> None:
    program = (
        "import sys; from drctl.cli.main import main; main(['explain', sys.argv[1]]);"
        "print(sorted({name.partition('.')[0] for name in sys.modules}"
        " & {'jinja2', 'pyparsing', 'zmq', 'pyroute2', 'dataclasses', 'inspect', 'difflib'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, topic], capture_output=True, text=True, check=True
    )
    assert done.stdout.rstrip().endswith("[]")
