"""Single statements against the tables, for several versions."""

from __future__ import annotations

import pytest
from lint_case import diagnostics, found, instance, service


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("prority 100", "10 DR201"),
        ("weight 5", "10 DR202"),
        ("timer_expired_backup", "10 DR203"),
        ("priority", "10 DR210"),
        ("priority 300", "10 DR211"),
        ("garp_master_repeat 0", "10 DR212"),
        ("notify /usr/bin/true\nnotify /usr/bin/false", "11 DR213"),
        ("linkbeat_use_polling", "10 DR216"),
        ("nopreempt off", "10 DR218"),
    ],
)
def test_a_faulty_statement_has_one_finding(inside: str, expected: str) -> None:
    assert found(instance(inside)) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("global_defs {\nvrrp_ipsets\n}\n", "2 DR222"),
        ("global_defs {\nvrrp_iptables\n}\n", "2 DR219"),
        ("global_defs {\nnotification_email {\n}\n}\n", "3 DR217"),
        ("global_defs {\nsmtp_helo_name\n}\n", "2 DR221"),
        ("vrrp_script S {\ninterval 2\n}\n", "3 DR220"),
        ("SSL {\npassword a\npassword b\n}\n", "3 DR214"),
        ("virtual_server_group G more {\n192.0.2.1 80\n}\n", "1 DR211"),
    ],
)
def test_a_faulty_statement_of_other_blocks_has_one_finding(text: str, expected: str) -> None:
    assert found(text) == [expected]


def test_a_statement_that_needs_an_earlier_one_is_told() -> None:
    assert found(service("sorry_server_inhibit")) == ["8 DR215"]


def test_a_misspelling_has_a_suggestion() -> None:
    (one,) = diagnostics(instance("virtual_ipadress"))
    assert one.hint == "did you mean virtual_ipaddress?"


def test_a_keyword_of_another_block_says_where_it_belongs() -> None:
    (one,) = diagnostics(instance("delay_loop 5"))
    assert "virtual_server" in one.hint


@pytest.mark.parametrize(
    ("inside", "first"),
    [("no_virtual_ipaddress", "2.2.8"), ("owner_ignore_adverts", "2.3.3"), ("vrf blue", "2.2.5")],
)
def test_a_keyword_is_known_from_its_release_on(inside: str, first: str) -> None:
    before = ".".join([*first.split(".")[:2], str(int(first.rpartition(".")[2]) - 1)])
    assert "10 DR203" in found(instance(inside), before)
    assert "10 DR203" not in found(instance(inside), first)


def test_a_finding_spans_the_word_that_is_wrong() -> None:
    (one,) = diagnostics(instance("priority   300 # why"))
    assert (one.place.line, one.place.column, one.place.end_column) == (10, 12, 15)


def test_a_value_from_a_definition_is_judged_at_its_use() -> None:
    text = "$PRIORITY=300\n" + instance("priority $PRIORITY")
    (one,) = [one for one in diagnostics(text) if one.code == "DR211"]
    assert one.place.line == 11
