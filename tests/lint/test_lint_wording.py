"""What an operator reads: words without effect, and the way out of common mistakes."""

from __future__ import annotations

import pytest
from lint_case import diagnostics, instance, service

from drctl.text.diagnostic import Diagnostic, Severity

IGNORED = {
    "second value": (instance("priority 100 200"), "200 is ignored: priority takes 1 word"),
    "word behind a switch": (instance("dont_track_primary x"), "x is ignored"),
    "name in two words": (
        "global_defs {\nrouter_id lb one\n}\n",
        "only the first word counts for router_id",
    ),
    "statement behind a statement": (
        instance("priority 100 nopreempt"),
        "nopreempt is read as one more word of priority and ignored",
    ),
}
SOUND = {
    "script with a user": instance('notify_master "/bin/true" root root'),
    "sequence of codes": service(real="HTTP_GET {\nurl {\npath /\nstatus_code 200 201\n}\n}"),
    "command in single quotes": instance("notify_master '/bin/true x'"),
    "forwarding with options": service("sorry_server 192.0.2.9 80\nalpha"),
    "apostrophe inside a word": "global_defs {\nrouter_id it's\n}\n",
    "quoted name": 'global_defs {\nrouter_id "lb one"\n}\n',
}
HINTS = {
    "unit": (instance("advert_int 1s"), "write the number alone: it counts seconds"),
    "case of a word": (instance("state master"), "write MASTER"),
    "case of a switch": ("global_defs {\nsmtp_alert ON\n}\n", "write on"),
    "comment of another language": (instance("// priority"), "comments begin with # or !"),
    "include of another kind": ("includes a.conf\n", "there are include, includer,"),
    "comma": (instance("virtual_ipaddress {\n192.0.2.1,\n}"), "take the , away"),
    "netmask": (
        instance("virtual_ipaddress {\n192.0.2.1/255.255.255.0\n}"),
        "write the length of the prefix",
    ),
    "port behind a colon": (
        "virtual_server 192.0.2.1:80 {\n}\n",
        "write a blank between address and port: 192.0.2.1 80",
    ),
    "port of IPv6": (
        "virtual_server [2001:db8::1]:80 {\n}\n",
        "write a blank between address and port: 2001:db8::1 80",
    ),
    "service that is skipped": (
        "virtual_server web 80 {\n}\n",
        "as it stands keepalived skips the whole virtual_server",
    ),
    "equals sign": (instance("foo=1"), "there is no equals sign between"),
    "name in two words": ("vrrp_instance A B {\n}\n", "put a name with blanks in double quotes"),
}


def only(text: str, code: str) -> Diagnostic:
    (found,) = [one for one in diagnostics(text) if one.code == code]
    return found


@pytest.mark.parametrize("name", IGNORED)
def test_word_without_effect_is_told(name: str) -> None:
    text, message = IGNORED[name]
    found = only(text, "DR218")
    assert found.message.startswith(message)
    assert found.severity is Severity.WARNING


@pytest.mark.parametrize("name", SOUND)
def test_words_that_count_are_not_told(name: str) -> None:
    assert {one.code for one in diagnostics(SOUND[name])} & {"DR218", "DR224"} == set()


@pytest.mark.parametrize("name", HINTS)
def test_hint_says_how_to_write_it(name: str) -> None:
    text, hint = HINTS[name]
    assert any(one.hint.startswith(hint) for one in diagnostics(text))


def test_statements_in_one_line_say_which_are_lost() -> None:
    found = diagnostics("vrrp_instance V { interface eth0 virtual_router_id 51 }\n")
    assert {"DR218", "DR320"} <= {one.code for one in found}
    assert (
        only("vrrp_instance V { interface eth0 virtual_router_id 51 }\n", "DR218").place.column
        == 34
    )


def test_single_quotes_hold_nothing_together_and_the_password_is_not_told() -> None:
    text = instance("authentication {\nauth_type PASS\nauth_pass 'two words'\n}")
    found = only(text, "DR224")
    assert found.place.line == 12
    assert "two" not in found.message + found.hint


def test_backslash_at_the_end_is_one_finding() -> None:
    found = diagnostics(instance("priority 100 \\\nnopreempt"))
    assert [(one.place.line, one.code, one.severity) for one in found] == [
        (10, "DR105", Severity.ERROR)
    ]


def test_second_address_in_a_line_is_named_so() -> None:
    text = instance("virtual_ipaddress_excluded {\n192.0.2.1 192.0.2.2\n}")
    assert only(text, "DR211").message == "192.0.2.2 is a second address in one line"


def test_empty_value_is_shown() -> None:
    assert only(instance('priority ""'), "DR211").message == '"" is outside 1..255'


def test_missing_value_shows_the_statement() -> None:
    assert only(instance("priority"), "DR210").message == (
        "priority needs a value: priority PRIORITY"
    )


CUT = {
    "source": (instance("unicast_src_ip 192.0.2.1/24"), 10, "/24 is cut off: only 192.0.2.1"),
    "peer": (instance("unicast_peer {\n192.0.2.2-5\n}"), 11, "-5 is cut off: only 192.0.2.2"),
    "service": (
        "virtual_server 192.0.2.10-12 80 {\n}\n",
        1,
        "-12 is cut off: only 192.0.2.10 counts",
    ),
    "server": (service(real="weight 1\n}\nreal_server 2001:db8::1/64 80 {"), 8, "/64 is cut off"),
    "check": (service(real="TCP_CHECK {\nconnect_ip 192.0.2.1/32\n}"), 7, "/32 is cut off"),
}


@pytest.mark.parametrize("name", CUT)
def test_range_or_prefix_that_is_cut_off_is_told(name: str) -> None:
    text, line, message = CUT[name]
    (found,) = [one for one in diagnostics(text) if one.code == "DR212"]
    assert found.place.line == line
    assert found.message.startswith(message)
    assert found.severity is Severity.WARNING


def test_block_without_its_brace_says_what_to_write() -> None:
    found = only(instance("unicast_peer 192.0.2.2"), "DR206")
    assert found.hint.startswith("put 192.0.2.2 between '{' and '}'")
