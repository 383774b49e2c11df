"""The effective view: what keepalived runs, each value with the place where it is to be changed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from corpus import corpus_dir, keepalived_files
from coverage_of_reading import lost
from effective_case import MAIN, effective
from hypothesis import given, settings
from hypothesis import strategies as st
from keepalived_case import difference, model_of, rendered

from drctl.cli.common import read_configuration
from drctl.errors import UnsafeValue
from drctl.model.origin import Leftover, leftovers
from drctl.model.service import RealServer
from drctl.model.vrrp import VrrpInstance
from drctl.readers import keepalived
from drctl.report.show import to_json, to_tree
from drctl.report.show_table import to_table
from drctl.syntax.expanded import Expanded, ExpandOptions, NoFiles, expand
from drctl.syntax.flat import Statements, flatten
from drctl.syntax.lexer import lex
from drctl.syntax.parser import parse, parse_bytes
from drctl.syntax.tree import Document
from drctl.text.place import Place, via_of
from drctl.text.source import SourceFile

INSTANCE = """\
vrrp_instance A {
    interface eth0
    virtual_router_id 51
%s
}
"""


def instance_of(
    inside: str, above: str = "", files: dict[str, str] | None = None, config_id: str = "lb1"
) -> VrrpInstance:
    reading = effective(above + INSTANCE % inside, files, config_id)
    (found,) = reading.configuration.instances
    return found


def chain(value: Any, name: str) -> list[tuple[str, str, str, int]]:
    """Kind and name of each step to a field, with its file and line."""
    place = value.origins[name][-1]
    return [(s.kind, s.name, s.place.path, s.place.line) for s in via_of(place)]


def at(value: Any, name: str) -> tuple[str, int]:
    place = value.origins[name][-1]
    return place.path, place.line


def test_definition_gives_the_value_with_the_places_of_use_and_definition() -> None:
    found = instance_of("priority $P", "$BASE=10\n$P=${BASE}0\n")
    assert found.priority == 100
    assert at(found, "priority") == (MAIN, 6)
    assert chain(found, "priority") == [
        ("definition", "P", MAIN, 2),
        ("definition", "BASE", MAIN, 1),
    ]
    assert chain(found, "interface") == []


def test_definition_of_several_lines_leads_to_the_line_of_each_value() -> None:
    above = "$B= \\\n  priority 7 \\\n  nopreempt\n"
    found = instance_of("$B", above)
    assert (found.priority, found.is_preempting) == (7, False)
    assert at(found, "priority") == at(found, "is_preempting") == (MAIN, 7)
    assert chain(found, "priority") == [("definition", "B", MAIN, 2)]
    assert chain(found, "is_preempting") == [("definition", "B", MAIN, 3)]


def test_last_definition_before_a_use_counts_also_after_rendering() -> None:
    text = "$P=150\n" + INSTANCE % "priority $P" + "$P=90\n"
    text += (INSTANCE % "priority $P").replace("A", "B").replace("51", "52")
    model = effective(text).configuration
    assert [one.priority for one in model.instances] == [150, 90]
    assert difference(model, model_of(rendered(model))) == ""


@pytest.mark.parametrize(("config_id", "priority"), [("lb1", 150), ("lb2", 100), ("", 50)])
def test_condition_is_decided_by_the_configuration_id(config_id: str, priority: int) -> None:
    inside = "priority 50\n    @lb1 priority 150\n    @^lb1 priority 100\n"
    if not config_id:
        inside = inside.replace("@^lb1", "@lb2")
    found = instance_of(inside, config_id=config_id)
    assert found.priority == priority


def test_included_files_are_read_where_they_stand() -> None:
    files = {
        "conf.d/one.conf": "priority 150\ninclude ../vips.inc\n",
        "conf.d/two.conf": "nopreempt\n",
        "conf.d/../vips.inc": "virtual_ipaddress {\n    ${VIP}/24\n}\n",
    }
    found = instance_of("    include conf.d/*.conf", "$VIP=192.0.2.9\n", files)
    assert (found.priority, found.is_preempting) == (150, False)
    assert found.vips[0].address == "192.0.2.9"
    assert at(found, "priority") == ("conf.d/one.conf", 1)
    assert chain(found, "priority") == [("include", "conf.d/one.conf", MAIN, 5)]
    assert at(found.vips[0], "address") == ("conf.d/../vips.inc", 2)
    assert chain(found.vips[0], "address") == [
        ("include", "conf.d/one.conf", MAIN, 5),
        ("include", "conf.d/../vips.inc", "conf.d/one.conf", 2),
        ("definition", "VIP", MAIN, 1),
    ]


SERVICE = """\
$RS= \\
    real_server 192.0.2.$n 80 { \\
        weight $n \\
        TCP_CHECK { \\
        } \\
    }
virtual_server 192.0.2.10 80 {
    lb_kind DR
    ~SEQ(n, 21, 23) $RS
}
"""


def test_sequence_gives_one_real_server_for_each_value() -> None:
    (service,) = effective(SERVICE).configuration.services
    assert [(s.address, s.weight) for s in service.real_servers] == [
        ("192.0.2.21", 21),
        ("192.0.2.22", 22),
        ("192.0.2.23", 23),
    ]
    steps = [via_of(s.origins["weight"][0]) for s in service.real_servers]
    assert [found[-1].value for found in steps] == ["21", "22", "23"]
    assert at(service.real_servers[0], "weight") == (MAIN, 9)


def test_list_gives_one_line_for_each_row() -> None:
    found = instance_of(
        "virtual_ipaddress {\n~LST({ip, dev}, {192.0.2.9, eth1}, {192.0.2.8, eth2}) $ip dev $dev\n}"
    )
    assert [(vip.address, vip.device) for vip in found.vips] == [
        ("192.0.2.9", "eth1"),
        ("192.0.2.8", "eth2"),
    ]


def test_names_of_keepalived_are_written_out() -> None:
    text = "global_defs {\n    router_id ${_INSTANCE}\n}\n"
    reading = effective(text, config_id="lb7")
    assert reading.configuration.settings.router_id == "lb7"
    assert reading.view is not None


def test_include_without_a_file_stays_where_it_stands_as_seen_from_the_first_file() -> None:
    files = {"conf.d/a.conf": "include b.conf\ninclude /srv/c.conf\npriority 9\n"}
    found = instance_of("    include conf.d/a.conf", files=files)
    assert [left.text for left in found.leftovers] == [
        "include conf.d/b.conf",
        "include /srv/c.conf",
    ]
    assert {left.reason for left in found.leftovers} == {"the included file is not read"}
    assert found.priority == 9
    place = found.leftovers[0].place
    assert place is not None
    assert (place.path, place.line) == ("conf.d/a.conf", 1)
    reading = effective(INSTANCE % "    include conf.d/a.conf", files)
    told = [(d.name, d.place.path, d.place.line) for d in reading.diagnostics]
    assert ("missing-include", "conf.d/a.conf", 1) in told


def test_bad_value_out_of_a_definition_names_both_places() -> None:
    reading = effective("$P=900\n" + INSTANCE % "priority $P")
    (found,) = (d for d in reading.diagnostics if d.name == "unreadable-value")
    assert found.place.line == 5
    assert [(r.place.line, r.message) for r in found.related] == [(1, "$P is defined here")]


def test_placeholder_that_nothing_defines_stays_whole() -> None:
    above = "$X=1\n"
    found = instance_of(
        "    virtual_ipaddress {\n        ${VIP:-1}/24 dev ${DEV} label a\n    }", above
    )
    (left,) = found.leftovers
    assert "${VIP:-1}/24 dev ${DEV} label a" in left.text
    assert "nothing defines" in left.reason


def test_what_steers_the_reading_is_listed_once() -> None:
    text = (
        "$P=1\n$Q=2\n$E=\n@lb1 $S=MASTER\n@lb2 $S=BACKUP\ninclude a.conf\n"
        + INSTANCE % "priority $P\n state $S\n $E"
        + SERVICE
    )
    reading = effective(text, {"a.conf": "global_defs {\n}\n"})
    view = reading.view
    assert view is not None
    assert [(one.name, one.is_used) for one in view.definitions] == [
        ("P", True),
        ("Q", False),
        ("E", True),
        ("S", True),
        ("RS", True),
    ]
    assert [(one.text, one.is_met) for one in view.conditions] == [
        ("@lb1 $S=MASTER", True),
        ("@lb2 $S=BACKUP", False),
    ]
    assert [(one.pattern, one.paths) for one in view.includes] == [("a.conf", ("a.conf",))]
    assert [one.text for one in view.sequences] == ["~SEQ(n, 21, 23) $RS"]
    assert [one.text for one in view.vanished] == ["$E"]
    assert lost(reading) == []
    assert lost(dataclasses.replace(reading, view=dataclasses.replace(view, definitions=())))


@pytest.mark.parametrize("show", [to_json, to_tree, to_table])
def test_password_out_of_a_definition_is_shown_nowhere(show: Any) -> None:
    text = "$A=hunter2\n$B=$A\n@lb2 $A=hunter2\n$UNUSED=1\n"
    text += INSTANCE % "    authentication {\n        auth_type PASS\n        auth_pass $B\n    }"
    reading = effective(text)
    assert reading.configuration.instances[0].authentication is not None
    assert reading.configuration.instances[0].authentication.password == "hunter2"
    assert "hunter2" not in show(reading)


def test_json_tells_the_chain_of_a_value_and_all_lists() -> None:
    reading = effective("$P=1\n@lb1 include a.conf\n", {"a.conf": INSTANCE % "priority $P"})
    found = json.loads(to_json(reading))
    (instance,) = found["model"]["instances"]
    assert instance["origins"]["priority"] == [
        {
            "path": "a.conf",
            "line": 4,
            "column": 1,
            "via": [
                {
                    "kind": "include",
                    "name": "a.conf",
                    "value": "a.conf",
                    "path": MAIN,
                    "line": 2,
                    "column": 6,
                },
                {
                    "kind": "definition",
                    "name": "P",
                    "value": "1",
                    "path": MAIN,
                    "line": 1,
                    "column": 1,
                },
            ],
        }
    ]
    assert found["files"] == [MAIN, "a.conf"]
    assert found["config_id"] == "lb1"
    assert [one["name"] for one in found["definitions"]] == ["P"]
    assert [(one["text"], one["is_met"]) for one in found["conditions"]] == [
        ("@lb1 include a.conf", True)
    ]
    assert [one["files"] for one in found["includes"]] == [["a.conf"]]


def test_tree_tells_definition_and_file_of_a_value() -> None:
    reading = effective("$P=1\ninclude a.conf\n", {"a.conf": INSTANCE % "priority $P"})
    rows = [line.split() for line in to_tree(reading).splitlines()]
    assert ["priority", "1", "a.conf:4", "($P:", "line", "1)"] in rows
    assert ["$P", "=", "1", "line", "1"] in rows


@pytest.mark.parametrize(
    "inside",
    [
        "    notify \"/bin/sh -c 'echo $HOME'\"",
        "    # @lb1 $X=1 include ~SEQ",
        "    use_vmac ${not",
        "    notify /bin/a\\#b",
    ],
)
def test_text_without_such_statements_is_read_as_ever(inside: str) -> None:
    text = "global_defs {\n notification_email {\n a@example.org\n }\n}\n" + INSTANCE % inside
    reading = effective(text)
    plain = keepalived.read(parse(SourceFile(MAIN, text), "keepalived"), is_effective=True)
    assert reading.view is None
    assert reading.configuration == plain.configuration
    assert reading.diagnostics == plain.diagnostics


needs_corpus = pytest.mark.skipif(corpus_dir() is None, reason="no corpus of real configurations")


@needs_corpus
@pytest.mark.parametrize("file", keepalived_files(), ids=lambda f: f.name)
def test_no_statement_of_real_files_is_lost(file: Path) -> None:
    assert lost(read_configuration(str(file), "keepalived")) == []


def expanded_alone(document: Document) -> Expanded:
    return expand(document.source, NoFiles(), ExpandOptions())


def plain_files() -> list[Path]:
    """Those of the corpus in which nothing is to be expanded."""
    found = []
    for file in keepalived_files():
        one = expanded_alone(parse_bytes(str(file), file.read_bytes(), "keepalived"))
        if not (one.definitions or one.conditions or one.includes):
            found.append(file)
    return found


@needs_corpus
@pytest.mark.parametrize("file", plain_files(), ids=lambda f: f.name)
def test_flat_text_of_real_file_gives_the_model_of_the_file(file: Path) -> None:
    """Where nothing is to be expanded the way over the flat text changes nothing but the layout of
    what the model has no field for."""
    document = parse_bytes(str(file), file.read_bytes(), "keepalived")
    expanded = expanded_alone(document)
    flat = keepalived.read(flatten(expanded, Statements([document]))).configuration
    plain = keepalived.read(document).configuration
    placeholders = [left for left in leftovers(plain) if "${" in left.text]
    if not placeholders:
        assert difference(without_layout(plain), without_layout(flat)) == ""
    assert [left.place for left in leftovers(flat)] == [left.place for left in leftovers(plain)]


def without_layout(value: Any) -> Any:
    """`value` with the words of leftovers instead of their texts."""
    if isinstance(value, Leftover):
        return Leftover(" ".join(leaf.value for leaf in lex(value.text, "keepalived")))
    if isinstance(value, tuple):
        return tuple(without_layout(item) for item in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value) if field.compare]
        changed = {name: without_layout(getattr(value, name)) for name in names}
        return dataclasses.replace(value, **changed)
    return value


PIECES = (
    *("vrrp_instance A {", "vrrp_instance $N {", "virtual_ipaddress {", "}", "}", "}", "{"),
    *("priority $P", "priority 100", "state MASTER", "interface eth0", "192.0.2.$n/24"),
    *("${V} dev eth0", "include a", "include b", "include none", "@lb1 priority 5"),
    *("@^lb1 state BACKUP", "@lb2 include a", "@lb1", "@ x", "$P=150", "$N=web", "$V=192.0.2.9"),
    *("$B= \\", "  priority 7 \\", "  nopreempt \\", "$B", "$E=", "$E", "$C={ x }", "$R=$R", "$R"),
    *("~SEQ(n,1,3) $n", "~SEQ(n,1,2) real_server 192.0.2.$n 80 { TCP_CHECK { } }", "~SEQ("),
    *("~LST({a,b},{1,eth0}) interface $b", "virtual_server 192.0.2.9 80 {", "# c", '"q'),
    *('x "a b" c', "script \"/x 'a $n'\"", "notify /a \\# b", "${UNDEF} {", "a ${X:-1}/24 b"),
    *("authentication { auth_type PASS", "auth_pass $W }", "$W=hunter2", "router_id ${_PWD}"),
    *("lb_kind DR } quorum 1", "global_defs {", "priority ${_RANDOM 5 9}"),
)
texts = st.lists(st.sampled_from(PIECES), max_size=20).map(lambda lines: "\n".join(lines) + "\n")


@settings(max_examples=150, deadline=None)
@given(texts, texts, texts)
def test_nothing_is_lost_of_any_files_and_the_model_is_rendered_back(
    text: str, first: str, second: str
) -> None:
    reading = effective(text, {"a": first, "b": second})
    assert lost(reading) == []
    for document in reading.documents:
        assert document.to_text() == document.source.text
    try:
        made = rendered(reading.configuration)
    except UnsafeValue:
        return
    assert difference(reading.configuration, model_of(made)) == ""
    assert to_tree(reading)
    if reading.view is not None and "W" in reading.view.secrets:
        assert "hunter2" not in to_json(reading)


def test_places_lie_inside_their_files() -> None:
    reading = effective(SERVICE)
    for server in reading.configuration.services[0].real_servers:
        assert isinstance(server, RealServer)
        for places in server.origins.values():
            assert all(isinstance(place, Place) for place in places)
            assert all(1 <= place.line <= 10 for place in places)
