"""`drctl render`: which file of which host, where it goes, what is told."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import oracle
import pytest
from keepalived_case import model_of

from drctl.cli.main import main
from drctl.model.pair import Rank
from drctl.render.environment import targets
from drctl.render.options import ARP_METHODS, NETS
from tools import need, need_root

LVS_CF = """\
primary = 192.0.2.11
service = lvs
backup_active = 1
backup = 192.0.2.12
network = direct
virtual web {
    active = 1
    address = 192.0.2.100 eth0:1
    vip_nmask = 255.255.255.0
    port = 80
    send = "GET / HTTP/1.0\\r\\n\\r\\n"
    expect = "HTTP"
    scheduler = wlc
    protocol = tcp
    load_monitor = uptime
    server one {
        address = 192.0.2.21
        active = 1
        weight = 1
    }
    server two {
        address = 192.0.2.22
        active = 1
        weight = 1
    }
}
"""
KEEPALIVED = """\
vrrp_instance A {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority 100
    unicast_src_ip 192.0.2.12
    unicast_peer {
        192.0.2.11
    }
    virtual_ipaddress {
        192.0.2.100/24
    }
}
virtual_server 192.0.2.100 80 {
    lb_algo rr
    lb_kind DR
    protocol TCP
    real_server 192.0.2.21 80 {
        TCP_CHECK {
        }
    }
}
"""
DIRECTOR = ("--target", "keepalived-director")


@pytest.fixture
def lvs_cf(tmp_path: Path) -> str:
    path = tmp_path / "lvs.cf"
    path.write_text(LVS_CF)
    return str(path)


@pytest.fixture
def keepalived_conf(tmp_path: Path) -> str:
    path = tmp_path / "lb2.conf"
    path.write_text(KEEPALIVED)
    return str(path)


def test_render_list_names_every_target_with_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(targets())
    assert {"keepalived-director", *ARP_METHODS} <= set(targets())
    assert all(len(line.split()) > 4 for line in lines)


def test_render_list_json_has_the_documented_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "--list", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == 1
    assert {frozenset(row) for row in document["targets"]} == {
        frozenset({"name", "for", "path", "mode", "doc"})
    }


@pytest.mark.parametrize(
    ("host", "source"), [("primary", "192.0.2.11"), ("backup", "192.0.2.12"), (None, "192.0.2.11")]
)
def test_render_director_of_lvs_cf_is_taken_by_keepalived(
    lvs_cf: str, host: str | None, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["render", lvs_cf, *DIRECTOR]
    assert main(arguments if host is None else [*arguments, "--host", host]) == 0
    text = capsys.readouterr().out
    assert model_of(text).instances[0].unicast_source == source
    need_root()
    program = need("keepalived", "keepalived")
    assert oracle.verdict(text, program=program) == oracle.Verdict(0, ())


@pytest.mark.parametrize(("host", "rank"), [("primary", Rank.PRIMARY), ("backup", Rank.BACKUP)])
def test_render_director_of_keepalived_conf_gives_either_director(
    keepalived_conf: str, host: str, rank: Rank, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["render", keepalived_conf, *DIRECTOR, "--host", host]) == 0
    model = model_of(capsys.readouterr().out)
    given = model_of(KEEPALIVED)
    assert model.rank is rank
    assert model.services == given.services
    if rank is Rank.BACKUP:
        assert model == given
    else:
        assert model.instances[0].unicast_source == "192.0.2.11"
        assert (model.instances[0].priority or 0) > 100


@pytest.mark.parametrize("method", ARP_METHODS)
def test_render_arp_method_prints_one_file_of_one_server(
    lvs_cf: str, method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["render", lvs_cf, "--target", method, "--host", "one"]) == 0
    text = capsys.readouterr().out
    assert text
    assert "# file:" not in text


@pytest.mark.parametrize("net", [net for net in NETS if net != "systemd"])
def test_render_net_target_needs_no_option_of_its_own(
    lvs_cf: str, net: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["render", lvs_cf, "--target", net, "--host", "two"]) == 0
    assert "192.0.2.100" in capsys.readouterr().out


def test_render_is_the_same_on_every_run(lvs_cf: str, capsys: pytest.CaptureFixture[str]) -> None:
    runs = []
    for _ in range(2):
        assert main(["render", lvs_cf, *DIRECTOR]) == 0
        runs.append(capsys.readouterr().out)
    assert runs[0] == runs[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--target"),
        (["--target", "nothing"], "keepalived-director"),
        (["--target", "sysctl"], "--host is needed, 2 hosts have sysctl: one, two"),
        (["--target", "sysctl", "--host", "three"], "there are primary, backup, one, two"),
        (["--target", "sysctl", "--host", "primary"], "these have: one, two"),
        (["--target", "tunnel-modules"], "nothing in PATH needs it"),
        ([*DIRECTOR, "--own-address", "lb2"], "no IPv4 or IPv6 address"),
    ],
)
def test_render_says_what_there_is_instead(
    lvs_cf: str, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["render", lvs_cf, *arguments]) == 2
    assert said in capsys.readouterr().err


def test_render_arp_method_of_masquerading_says_why_there_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "nat.cf"
    path.write_text(LVS_CF.replace("network = direct", "network = nat"))
    assert main(["render", str(path), "--target", "sysctl"]) == 2
    assert "direct routing or tunnelling" in capsys.readouterr().err


@pytest.mark.parametrize(("level", "code"), [("ignore", 0), ("warn", 0), ("error", 1)])
def test_render_tells_losses_on_standard_error_only(
    lvs_cf: str, level: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["render", lvs_cf, *DIRECTOR, "--on-loss", level]) == code
    captured = capsys.readouterr()
    assert ("uptime" in captured.err) is (level != "ignore")
    assert "uptime" not in captured.out
    assert bool(captured.out) is (code == 0)


def test_refused_rendering_writes_no_file(lvs_cf: str, tmp_path: Path) -> None:
    target = tmp_path / "out.conf"
    assert main(["render", lvs_cf, *DIRECTOR, "-o", str(target), "--on-loss", "error"]) == 1
    assert not target.exists()


def test_render_to_a_file_writes_it_once_and_never_over_another(
    lvs_cf: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "out.conf"
    arguments = ["render", lvs_cf, *DIRECTOR, "-o", str(target)]
    assert main(arguments) == 0
    assert capsys.readouterr().out == ""
    text = target.read_text()
    assert main(arguments) == 0, "the same text again is no harm"
    target.write_text("mine\n")
    assert main(arguments) == 2
    assert target.read_text() == "mine\n"
    assert "--force" in capsys.readouterr().err
    assert main([*arguments, "--force"]) == 0
    assert target.read_text() == text
    assert stat.S_IMODE(target.stat().st_mode) == 0o644
    assert [path.name for path in tmp_path.iterdir() if "drctl-new" in path.name] == []


def test_render_never_writes_through_a_link(lvs_cf: str, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    link = tmp_path / "out.conf"
    link.symlink_to(elsewhere)
    assert main(["render", lvs_cf, *DIRECTOR, "-o", str(link)]) == 2
    assert not elsewhere.exists()


def test_render_to_a_folder_puts_the_file_at_its_path(lvs_cf: str, tmp_path: Path) -> None:
    folder = tmp_path / "lb1"
    assert main(["render", lvs_cf, *DIRECTOR, "-o", f"{folder}/"]) == 0
    written = folder / "etc/keepalived/keepalived.conf"
    assert model_of(written.read_text()).instances
    written.write_text("edited\n")
    assert main(["render", lvs_cf, *DIRECTOR, "-o", f"{folder}/"]) == 2
    assert written.read_text() == "edited\n"


def test_render_json_has_the_file_and_its_losses(
    lvs_cf: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["render", lvs_cf, "--target", "nftables", "--host", "one", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["host"], document["target"]) == (1, "one", "nftables")
    (file,) = document["files"]
    assert file["path"].endswith(".nft")
    assert set(file) == {"path", "mode", "text"}


def test_render_of_unicast_without_own_address_takes_the_option(
    keepalived_conf: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(keepalived_conf)
    path.write_text(KEEPALIVED.replace("    unicast_src_ip 192.0.2.12\n", ""))
    arguments = ["render", keepalived_conf, *DIRECTOR, "--host", "primary"]
    assert main(arguments) == 0
    captured = capsys.readouterr()
    assert "unicast_fault_no_peer" in captured.out
    assert "--own-address" in captured.err
    assert main([*arguments, "--own-address", "192.0.2.12"]) == 0
    peers = model_of(capsys.readouterr().out).instances[0].unicast_peers
    assert [peer.address for peer in peers] == ["192.0.2.12"]
