"""The comparison itself: what it must not let pass."""

from __future__ import annotations

from pathlib import Path

import pytest
from agreement.comparison import Verdict, disagreements, verdict_of
from agreement.linted import Linted, linted

from drctl.quickclass import replace
from drctl.text.diagnostic import Severity

TEXT = """\
vrrp_instance ONE {
    interface eth0
    virtual_router_id 51
    state MASTER
    nopreempt
    virtual_ipaddress {
        192.0.2.1
    }
}
vrrp_instance TWO {
    interface eth1
    virtual_router_id 300
    auth_type PASS
    virtual_ipaddress {
        192.0.2.2
    }
}
"""
SAID = (
    "(k.conf: Line 12) number '300' outside range [1, 255]",
    "(k.conf: Line 12) (TWO): VRID '300' not valid - must be between 1 & 255",
    "(k.conf: Line 13) Unknown keyword 'auth_type'",
    "(ONE) Warning - nopreempt will not work with initial state MASTER - clearing",
    "(TWO) the virtual router id must be set",
)


@pytest.fixture
def found(tmp_path: Path) -> Linted:
    file = tmp_path / "k.conf"
    file.write_text(TEXT)
    return linted(file)


def kinds(found: Linted, said: tuple[str, ...] = SAID, exit_code: str = "5") -> list[str]:
    verdict: Verdict = verdict_of(exit_code, said, "k.conf")
    return [one.kind.partition(":")[0] for one in disagreements(verdict, found)]


def without(found: Linted, *codes: str) -> Linted:
    return Linted(
        {"k.conf": [one for one in found.found["k.conf"] if one.code not in codes]},
        found.statements,
    )


def test_findings_that_agree_agree(found: Linted) -> None:
    assert kinds(found) == []


def test_a_line_without_its_finding_disagrees(found: Linted) -> None:
    assert kinds(without(found, "DR202")) == ["missed"]


def test_a_message_without_line_and_without_finding_disagrees(found: Linted) -> None:
    assert kinds(without(found, "DR328")) == ["missed after reading"]


def test_a_finding_in_another_block_than_the_message_names_disagrees(found: Linted) -> None:
    said = tuple(message.replace("(ONE) Warning", "(TWO) Warning") for message in SAID)
    assert kinds(found, said) == ["missed after reading"]


def test_a_finding_on_another_statement_than_the_cause_disagrees(found: Linted) -> None:
    [there] = [one for one in found.found["k.conf"] if one.code == "DR328"]
    moved = replace(there, place=there.place._replace(line=2))
    rest = without(found, "DR328").found["k.conf"]
    assert kinds(Linted({"k.conf": [*rest, moved]}, found.statements)) == ["missed after reading"]


def test_a_warning_for_what_keepalived_refuses_disagrees(found: Linted) -> None:
    lowered = [
        replace(one, severity=Severity.WARNING) if one.code == "DR202" else one
        for one in found.found["k.conf"]
    ]
    assert kinds(Linted({"k.conf": lowered}, found.statements)) == ["too low"]


def test_two_findings_for_one_mistake_disagree(found: Linted) -> None:
    twice = [*found.found["k.conf"], *found.found["k.conf"]]
    assert kinds(Linted({"k.conf": twice}, found.statements)) == ["told 2 times", "told 2 times"]


def test_an_error_where_keepalived_is_silent_disagrees(found: Linted) -> None:
    said = ("SECURITY VIOLATION - scripts are being executed but script_security not enabled.",)
    assert "too much" in kinds(found, said, "6")


def test_a_crash_without_an_error_disagrees(found: Linted) -> None:
    calm = {"k.conf": [one for one in found.found["k.conf"] if one.severity is not Severity.ERROR]}
    assert kinds(Linted(calm, found.statements), (), "-11") == ["crash missed"]
