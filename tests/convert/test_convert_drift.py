"""What differs between the directors' files."""

from __future__ import annotations

from convert_case import GLOBAL, SERVICE, changed, reading_of, without

from drctl.convert.conversion import convert
from drctl.convert.drift import Drift
from drctl.convert.options import ConvertOptions

MASTER = """\
global_defs {
    router_id lb1
}
vrrp_instance VI_1 {
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 150
    unicast_src_ip 192.0.2.2
    unicast_peer {
        192.0.2.3
    }
    authentication {
        auth_type PASS
        auth_pass one
    }
    virtual_ipaddress {
        192.0.2.10/24
    }
}
virtual_server 192.0.2.10 80 {
    delay_loop 6
    lb_algo rr
    lb_kind DR
    protocol TCP
    real_server 192.0.2.21 80 {
        weight 1
        TCP_CHECK {
            connect_timeout 3
        }
    }
}
"""
BACKUP = (
    MASTER.replace("lb1", "lb2")
    .replace("MASTER", "BACKUP")
    .replace("150", "90")
    .replace("unicast_src_ip 192.0.2.2", "unicast_src_ip 192.0.2.3")
    .replace("        192.0.2.3\n", "        192.0.2.2\n")
)


def _drift(here: str, there: str, dialect: str = "lvs.cf") -> tuple[Drift, ...]:
    one = reading_of(here, "a.cf", dialect)
    other = reading_of(there, "b.cf", dialect)
    return convert(one, ConvertOptions(), other).report.drift


def test_files_that_mean_the_same_have_no_drift() -> None:
    text = GLOBAL + SERVICE
    other = "# a comment\n" + text.replace("    active = 1\n", "    active    =  1\n")
    assert _drift(text, other) == ()


def test_value_that_differs_is_told_with_both_places() -> None:
    (found,) = _drift(GLOBAL + SERVICE, changed("weight = 1", "weight = 3"))
    assert found.what == "virtual service web, server 192.0.2.21: weight"
    assert (found.here, found.there) == ("weight = 1", "weight = 3")
    assert str(found.place_here).startswith("a.cf:21:")
    assert str(found.place_there).startswith("b.cf:21:")


def test_value_that_one_file_leaves_out_is_told_with_the_default() -> None:
    (found,) = _drift(GLOBAL + SERVICE, without("deadtime"))
    assert (found.here, found.there) == ("deadtime = 18", "5 s (default)")
    assert found.place_there is None


def test_statement_outside_the_model_is_told() -> None:
    (found,) = _drift("serial_no = 1\n" + GLOBAL, "serial_no = 2\n" + GLOBAL)
    assert (found.what, found.here, found.there) == (
        "serial_no",
        "serial_no = 1",
        "serial_no = 2",
    )


def test_server_that_moved_is_one_difference() -> None:
    (found,) = _drift(GLOBAL + SERVICE, changed("192.0.2.21", "192.0.2.31"))
    assert (found.here, found.there) == ("address = 192.0.2.21", "address = 192.0.2.31")


def test_block_that_only_the_peer_has_is_told() -> None:
    other = SERVICE.replace("virtual web", "virtual tls").replace("port = 80", "port = 443")
    (found,) = _drift(GLOBAL + SERVICE, GLOBAL + SERVICE + other)
    assert (found.here, found.there) == (None, "virtual tls {")


def test_keepalived_pair_that_fits_has_no_drift() -> None:
    assert _drift(MASTER, BACKUP, "keepalived") == ()


def test_keepalived_pair_with_another_real_server_drifts() -> None:
    found = _drift(MASTER, BACKUP.replace("192.0.2.21", "192.0.2.22"), "keepalived")
    assert {(each.here, each.there) for each in found} == {
        ("real_server 192.0.2.21 80 {", None),
        (None, "real_server 192.0.2.22 80 {"),
    }


def test_keepalived_pair_that_does_not_name_each_other_drifts() -> None:
    wrong = BACKUP.replace("        192.0.2.2\n", "        192.0.2.9\n")
    assert len(_drift(MASTER, wrong, "keepalived")) >= 1


def test_same_priority_on_both_directors_is_drift() -> None:
    (found,) = _drift(MASTER, BACKUP.replace("priority 90", "priority 150"), "keepalived")
    assert "same priority" in found.what


def test_passwords_that_differ_are_not_shown() -> None:
    found = _drift(MASTER, BACKUP.replace("auth_pass one", "auth_pass two"), "keepalived")
    assert len(found) == 1
    assert "one" not in f"{found[0].here}{found[0].there}".replace("none", "")
    assert "two" not in f"{found[0].here}{found[0].there}"


def test_peers_own_priority_is_kept() -> None:
    one = reading_of(MASTER, "a.conf", "keepalived")
    other = reading_of(BACKUP, "b.conf", "keepalived")
    conversion = convert(one, ConvertOptions(), other)
    backup = next(r for r in conversion.renderings if r.host == "backup")
    text = next(f.text for f in backup.files if f.path.endswith("keepalived.conf"))
    assert "priority 90" in text
    assert "router_id lb2" in text
