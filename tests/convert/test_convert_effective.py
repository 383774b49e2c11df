"""Directors' files from what keepalived reads: includes, definitions, conditions, sequences."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import oracle
import pytest
from convert_case import all_texts, director_file, entry, hosts
from effective_case import MAIN, effective

from drctl.convert.conversion import Conversion, convert
from drctl.convert.ledger import Verdict
from drctl.convert.options import ConvertOptions
from drctl.convert.pairing import tells_directors_apart
from drctl.model.pair import Rank
from drctl.report.conversion import to_json, to_markdown
from tools import need, need_root

SHARED = """\
$VIP=192.0.2.10
$UNUSED=7
@lb1 $PRIORITY=150
@lb2 $PRIORITY=100
@lb1 $STATE=MASTER
@lb2 $STATE=BACKUP
global_defs {
    router_id ${_INSTANCE}
}
vrrp_instance A {
    state $STATE
    interface eth0
    virtual_router_id 51
    priority $PRIORITY
    @lb1 unicast_src_ip 192.0.2.1
    @lb2 unicast_src_ip 192.0.2.2
    unicast_peer {
        @lb1 192.0.2.2
        @lb2 192.0.2.1
    }
    @lb3 use_vmac
    virtual_ipaddress {
        ${VIP}/24 dev eth0
    }
}
include conf.d/*.conf
"""
WEB = """\
$RS= \\
    real_server 192.0.2.$n 80 { \\
        weight 1 \\
        TCP_CHECK { \\
        } \\
    }
virtual_server $VIP 80 {
    lb_kind DR
    lb_algo rr
    protocol TCP
    ~SEQ(n, 21, 23) $RS
}
"""
FILES = {"conf.d/web.conf": WEB}


def both(text: str = SHARED, **options: object) -> Conversion:
    """The conversion of a file that both directors share."""
    readings = [effective(text, FILES, name) for name in ("lb1", "lb2")]
    return convert(readings[0], ConvertOptions(**options), other=readings[1])  # type: ignore[arg-type]


def alone(text: str, config_id: str = "lb1", **options: object) -> Conversion:
    """The conversion of one director's file."""
    return convert(effective(text, FILES, config_id), ConvertOptions(**options))  # type: ignore[arg-type]


def statements(text: str) -> list[str]:
    """The lines of a generated file, without comments, blanks and order."""
    lines = (line.strip() for line in text.splitlines())
    return sorted(line for line in lines if line and not line.startswith("#"))


def test_shared_file_gives_each_director_what_it_reads() -> None:
    conversion = both()
    assert hosts(conversion)[:2] == ["primary", "backup"]
    primary, backup = director_file(conversion), director_file(conversion, "backup")
    for text in (primary, backup):
        assert not any(sign in text.split("\n", 2)[2] for sign in ("$", "@", "~SEQ", "include"))
    differing = set(statements(primary)) ^ set(statements(backup))
    assert differing == {
        *("router_id lb1", "router_id lb2", "state MASTER", "state BACKUP"),
        *("priority 150", "priority 100", "unicast_src_ip 192.0.2.1", "unicast_src_ip 192.0.2.2"),
        *("192.0.2.1", "192.0.2.2"),
    }
    assert "192.0.2.10/24 dev eth0" in primary


def test_shared_file_is_the_same_pair_from_either_end() -> None:
    one, two = (effective(SHARED, FILES, name) for name in ("lb1", "lb2"))
    turned = convert(two, ConvertOptions(), other=one)
    assert all_texts(turned) == all_texts(both())


def test_sequence_of_real_servers_gives_a_folder_each() -> None:
    assert hosts(both())[2:] == ["192.0.2.21", "192.0.2.22", "192.0.2.23"]


def test_directors_files_of_a_shared_file_are_taken_without_a_word() -> None:
    need_root()
    program = need("keepalived", "keepalived")
    for host in ("primary", "backup"):
        text = director_file(both(), host)
        assert oracle.verdict(text, program=program) == oracle.Verdict(0, ())


def test_report_has_every_statement_of_all_files_once() -> None:
    conversion = both()
    entries = conversion.report.entries
    expected = []
    for document in effective(SHARED, FILES).documents:
        expected += [document.place(statement)[:3] for statement in document.walk()]
    assert [found.place[:3] for found in entries] == expected
    assert {found.place.path for found in entries} == {MAIN, "conf.d/web.conf"}
    assert not any("has a place for it" in found.why for found in entries)
    assert len(json.loads(to_json(conversion.report))["entries"]) == len(expected)
    assert "web.conf:7 |" in to_markdown(conversion.report)


@pytest.mark.parametrize(
    ("start", "verdict", "why"),
    [
        ("$VIP=", Verdict.EXACT, "written out where it is used"),
        ("$UNUSED=", Verdict.DROPPED, "nothing uses $UNUSED"),
        ("@lb2 $PRIORITY", Verdict.EXACT, "written out"),
        ("@lb3 use_vmac", Verdict.DROPPED, "@lb3 is not met: the file was read as lb1 and lb2"),
        ("include", Verdict.EXACT, "conf.d/web.conf read"),
        ("weight 1", Verdict.EXACT, "a line of $RS"),
    ],
)
def test_report_tells_what_became_of_what_steers_the_reading(
    start: str, verdict: Verdict, why: str
) -> None:
    found = entry(both(), start)
    assert found.verdict is verdict
    assert why in found.why
    assert not found.is_loss


def test_report_leads_from_statements_and_definitions_to_generated_lines() -> None:
    conversion = both()
    texts = all_texts(conversion)

    def became(start: str) -> list[tuple[str, str]]:
        path = "/etc/keepalived/keepalived.conf"
        return [
            (target.host, texts[target.host, path].split("\n")[target.line - 1].strip())
            for target in entry(conversion, start).became
            if target.path == path
        ]

    assert became("@lb1 $PRIORITY") == [("primary", "priority 150")]
    assert became("@lb2 $PRIORITY") == [("backup", "priority 100")]
    assert became("priority $PRIORITY") == [
        ("backup", "priority 100"),
        ("primary", "priority 150"),
    ]
    assert became("weight 1") == [("backup", "weight 1")] * 3 + [("primary", "weight 1")] * 3
    assert ("primary", "virtual_server 192.0.2.10 80 {") in became("$VIP=")


def test_statement_that_counts_for_one_director_only_is_not_void() -> None:
    text = SHARED.replace("priority $PRIORITY\n", "priority 100\n    @lb1 priority 150\n")
    conversion = both(text)
    assert "priority 150" in director_file(conversion)
    assert [target.host for target in entry(conversion, "priority 100").became] == ["backup"]
    assert entry(conversion, "priority 100").verdict is Verdict.EXACT


OWN = """\
$VIP=192.0.2.10
$P=150
@lb1 $NAME=lb1
global_defs {
    router_id $NAME
}
vrrp_instance A {
    state MASTER
    interface eth0
    virtual_router_id 51
    priority $P
    unicast_src_ip 192.0.2.1
    unicast_peer {
        192.0.2.2
    }
    virtual_ipaddress {
        192.0.2.10
    }
}
include conf.d/*.conf
"""


def test_peer_is_derived_from_effective_values_and_stands_alone() -> None:
    conversion = alone(OWN)
    lines = statements(director_file(conversion, "backup"))
    for line in ("priority 100", "state BACKUP", "router_id lb2", "unicast_src_ip 192.0.2.2"):
        assert line in lines
    assert "real_server 192.0.2.23 80 {" in lines
    assert not any(sign in line for sign in ("$", "@", "include", "~") for line in lines)
    assert "priority 150" in director_file(conversion)


def test_readings_tell_directors_apart_when_every_instance_differs() -> None:
    one, two = (effective(SHARED, FILES, n).configuration for n in ("lb1", "lb2"))
    assert tells_directors_apart(one, two)
    assert not tells_directors_apart(one, one)
    one, two = (effective(OWN, FILES, n).configuration for n in ("lb1", "lb2"))
    assert not tells_directors_apart(one, two)


def test_asked_for_rank_and_priorities_hold_for_a_shared_file() -> None:
    conversion = both(given=Rank.BACKUP, priorities=(200, 120))
    assert "router_id lb1" in director_file(conversion, "backup")
    assert "priority 200" in director_file(conversion)
    assert "priority 120" in director_file(conversion, "backup")


def test_include_without_a_file_is_kept_on_both_and_is_a_loss() -> None:
    conversion = alone(OWN.replace("conf.d/*.conf", "/etc/keepalived/none.conf"))
    found = entry(conversion, "include")
    assert (found.verdict, found.is_loss) == (Verdict.APPROXIMATED, True)
    for host in ("primary", "backup"):
        assert "include /etc/keepalived/none.conf" in director_file(conversion, host)


def test_block_that_another_file_closes_is_whole() -> None:
    text = OWN.replace("}\ninclude conf.d/*.conf", "include tail.conf")
    assert text != OWN
    reading = effective(text, {"tail.conf": "    nopreempt\n}\n"})
    conversion = convert(reading, ConvertOptions())
    found = next(one for one in conversion.report.entries if one.statement == "}")
    assert (found.verdict, found.why) == (Verdict.EXACT, "its counterpart is in another file")
    assert "nopreempt" in director_file(conversion)
    broken = convert(effective(text, {"tail.conf": "}\n}\n"}), ConvertOptions())
    found = next(one for one in broken.report.entries if one.place[:2] == ("tail.conf", 2))
    assert found.is_loss


def test_number_that_keepalived_draws_is_told() -> None:
    found = entry(alone(OWN.replace("$P=150", "$P=${_RANDOM 120 150}")), "$P=")
    assert (found.verdict, found.todo) == (Verdict.APPROXIMATED, "decide on the number")


def test_password_out_of_a_definition_is_not_in_the_report() -> None:
    block = "    authentication {\n  auth_type PASS\n  auth_pass $W\n }\n"
    text = "$W=hunter2\n" + OWN.replace("    virtual_ip", f"{block}    virtual_ip")
    conversion = alone(text)
    assert "auth_pass hunter2" in director_file(conversion, "backup")
    assert "hunter2" not in to_json(conversion.report) + to_markdown(conversion.report)


# The commands.


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "drctl", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    folder = tmp_path / "etc"
    (folder / "conf.d").mkdir(parents=True)
    (folder / "conf.d/web.conf").write_text(WEB)
    (folder / "keepalived.conf").write_text(SHARED)
    return folder / "keepalived.conf"


def test_convert_reads_a_shared_file_as_both_directors_without_being_told(
    shared: Path, tmp_path: Path
) -> None:
    done = run("convert", str(shared), "-o", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    for host, name in (("primary", "lb1"), ("backup", "lb2")):
        text = (tmp_path / "out" / host / "etc/keepalived/keepalived.conf").read_text()
        assert f"router_id {name}" in text
        assert "real_server 192.0.2.22 80" in text
    choices = json.loads((tmp_path / "out/report.json").read_text())["choices"]
    assert {("configuration id", "lb1"), ("configuration id of the other director", "lb2")} <= {
        (one["what"], one["value"]) for one in choices
    }


def test_render_takes_the_ids_that_are_given(shared: Path) -> None:
    words = ("--target", "keepalived-director", "--host", "backup")
    done = run("render", str(shared), *words, "--config-id", "lb2", "--peer-config-id", "lb3")
    assert done.returncode == 0, done.stderr
    assert "router_id lb3" in done.stdout
    assert "use_vmac" in done.stdout
    wrong = run("render", str(shared), *words, "--config-id", "a", "--peer-config-id", "a")
    assert wrong.returncode == 2
    assert "--peer-config-id" in wrong.stderr


def test_own_folder_of_the_file_is_where_it_will_be_used(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a.conf").write_text('vrrp_script b {\n    script "${_PWD}/b"\n}\n')
    file = tmp_path / "keepalived.conf"
    file.write_text('vrrp_script a {\n    script "${_PWD}/a"\n}\ninclude sub/a.conf\n' + OWN)
    done = run("render", str(file), "--target", "keepalived-director", "--host", "backup")
    assert done.returncode == 0, done.stderr
    assert 'script "/etc/keepalived/a"' in done.stdout
    assert 'script "/etc/keepalived/sub/b"' in done.stdout


def test_unread_include_makes_the_exit_code_1_when_losses_are_errors(tmp_path: Path) -> None:
    file = tmp_path / "keepalived.conf"
    file.write_text(OWN)
    done = run("convert", str(file), "--dry-run", "--on-loss", "error")
    assert done.returncode == 1
    assert "no file was read for it" in done.stderr
    assert run("convert", str(file), "--dry-run").returncode == 0


def test_peer_file_is_read_with_its_own_id(shared: Path, tmp_path: Path) -> None:
    words = ("--peer-file", str(shared), "--config-id", "lb1", "--peer-config-id", "lb2")
    done = run("convert", str(shared), *words, "-o", str(tmp_path / "out"), "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["drift"] == []
    text = (tmp_path / "out/backup/etc/keepalived/keepalived.conf").read_text()
    assert "priority 100" in text
    assert "router_id lb2" in text
