"""One mistake is one finding: what follows from it in the same line is not told too."""

from __future__ import annotations

import pytest
from lint_case import diagnostics, instance

from drctl.text.diagnostic import Severity

IN_ONE_LINE = {
    "a quote without end": (instance('priority "100'), 10, ["DR101"]),
    "a quote without end behind an option": (
        instance('virtual_ipaddress_excluded {\n192.0.2.9 dev "eth1\n}'),
        11,
        ["DR101"],
    ),
    "a name that is not defined": (instance("priority $PRIO"), 10, ["DR120"]),
    "a name in braces that is not defined": (instance("priority ${PRIO}"), 10, ["DR120"]),
    "a default value as of a shell": (instance("priority ${PRIO:-100}"), 10, ["DR120"]),
    "a blank before the equals sign": (instance("$PRIO = 100"), 10, ["DR121"]),
    "a brace of a name that is none": (instance("priority ${"), 10, ["DR211"]),
    "a value and a brace": (instance("unicast_src_ip {"), 10, ["DR210"]),
    "a block where an entry belongs": (
        instance("virtual_ipaddress_excluded {\nvirtual_routes {\n}"),
        11,
        ["DR211"],
    ),
    "words where a brace belongs": (instance("track_interface eth1\neth2\n}"), 10, ["DR206"]),
    "a wrong word with its value": (
        instance("virtual_ipaddress_excluded {\n192.0.2.9 netmask 255.255.255.0\n}"),
        11,
        ["DR211"],
    ),
    "a statement among tracked things": (instance("track_script {\nweight 5\n}"), 11, ["DR311"]),
}


@pytest.mark.parametrize("what", IN_ONE_LINE)
def test_one_mistake_has_one_finding_and_it_is_an_error(what: str) -> None:
    text, line, codes = IN_ONE_LINE[what]
    there = [one for one in diagnostics(text) if one.place.line == line]
    assert [one.code for one in there] == codes
    assert there[0].severity is Severity.ERROR


def test_a_cause_that_is_a_warning_says_what_follows() -> None:
    [one] = [one for one in diagnostics(instance("priority $PRIO")) if one.code == "DR120"]
    assert "PRIO is not defined here" in one.message
    assert "$PRIO is not a whole number" in one.message


def test_a_name_that_is_not_defined_without_consequence_stays_a_warning() -> None:
    [one] = [
        one for one in diagnostics("global_defs {\nrouter_id $NAME\n}\n") if one.code == "DR120"
    ]
    assert one.severity is Severity.WARNING


def test_two_mistakes_in_one_line_have_two_findings() -> None:
    text = instance("virtual_routes {\n198.51.100.0/24 gw 192.0.2.1\n}")
    assert [one.code for one in diagnostics(text) if one.place.line == 11] == ["DR212", "DR212"]


def test_lines_that_a_sequence_makes_have_one_finding() -> None:
    text = instance("virtual_ipaddress_excluded {\n~SEQ(N,1,5) 192.0.2.30$N\n}")
    [one] = [one for one in diagnostics(text) if one.place.line == 11]
    assert one.message == "192.0.2.301 is no address (and 4 more of this line)"
