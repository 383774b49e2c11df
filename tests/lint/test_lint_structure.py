"""Broken structure: what keepalived makes of it, and where it is said."""

from __future__ import annotations

import pytest
from lint_case import diagnostics, found, instance, service


def test_an_unknown_block_closes_the_one_around_it() -> None:
    text = instance("auth_hmac {\npriority 99\n}\nadvert_int 2")
    assert found(text) == ["10 DR203", "13 DR205", "14 DR208"]


def test_what_an_unknown_block_closed_is_told_with_its_line() -> None:
    last = diagnostics(instance("nonsense {\npriority 99\n}\nadvert_int 2"))[-2]
    assert last.message == (
        "advert_int is read outside vrrp_instance, which the '}' in line 12 closed"
    )


def test_a_block_that_is_not_closed_is_told_at_its_header() -> None:
    text = instance("accept").removesuffix("}\n")
    assert found(text) == ["4 DR209"]


def test_a_block_inside_one_that_is_not_closed_is_told_with_the_outer_one() -> None:
    text = instance("accept").removesuffix("}\n") + "vrrp_instance V2 {\ninterface eth1\n}\n"
    messages = {one.code: one.message for one in diagnostics(text)}
    assert (
        messages["DR202"] == "vrrp_instance inside vrrp_instance V1 (line 4), which is not closed"
    )


def test_a_brace_on_the_next_line_or_below_comments_is_none_missing() -> None:
    assert found(instance("accept").replace("V1 {", "V1\n# a comment\n\n{")) == []


def test_a_missing_opening_brace_is_told_below_the_header() -> None:
    assert found(instance("accept").replace("V1 {", "V1"))[0] == "5 DR206"


def test_a_missing_opening_brace_of_a_value_block_is_told_at_the_header() -> None:
    assert "7 DR206" in found(instance("accept").replace("ipaddress {", "ipaddress"))


def test_a_brace_behind_a_keyword_without_block_is_told() -> None:
    assert found(instance("nopreempt {\n}"))[0] == "10 DR207"


def test_a_block_on_one_line_is_one_statement() -> None:
    text = "vrrp_instance V { interface eth0 virtual_router_id 51 }\n"
    assert [one.code for one in diagnostics(text)][:1] == ["DR320"]


def test_a_second_block_of_one_name_is_skipped_whole() -> None:
    text = instance("accept", after="vrrp_instance V1 {\nnonsense 5\n}\n")
    assert found(text) == ["12 DR213"]


def test_a_real_server_with_a_bad_address_is_skipped_whole() -> None:
    text = service(real="weight 1\n}\nreal_server nowhere 80 {\nnonsense")
    assert found(text) == ["8 DR211"]


@pytest.mark.parametrize("count", [2, 40])
def test_blocks_with_the_same_body_have_findings_of_their_own(count: int) -> None:
    server = "real_server 192.0.2.{} 80 {{\nHTTP_GET {{\nurl {{\nstatus_code 200\n}}\n}}\n}}\n"
    servers = "".join(server.format(number + 20) for number in range(count))
    lines = [entry.split()[0] for entry in found(service(servers)) if entry.endswith("DR377")]
    assert len(set(lines)) == count


def test_a_list_of_statements_is_judged_as_a_fragment() -> None:
    assert found("interface eth0\nvirtual_router_id 300\nnopreempt\n") == ["2 DR211"]


def test_a_list_of_addresses_is_judged_as_a_fragment() -> None:
    assert found("192.0.2.1\n192.0.2.2/24 dev eth0\n") == []


def test_a_block_without_end_that_swallows_the_file_makes_no_fragment_of_it() -> None:
    text = "virtual_ipaddress {\n192.0.2.1\n" + instance("accept") + "}\nstate MASTER\n"
    assert found(text)[0] == "1 DR202"


def test_statements_of_no_common_block_are_no_fragment() -> None:
    assert found("interface eth0\nreal_server 192.0.2.1 80 {\n}\n")[0] == "1 DR202"


def test_a_deep_nest_of_braces_ends_in_findings() -> None:
    assert len(found("vrrp_instance V {\n" + "{\n" * 5000)) >= 1


def test_a_hostile_file_has_a_bounded_number_of_findings() -> None:
    assert len(diagnostics("vrrp_instance V {\n" + "nonsense\n" * 20_000 + "}\n")) < 6_000


def test_a_statement_is_a_second_one_in_another_block_of_settings_too() -> None:
    block = "global_defs {\nlvs_sync_daemon eth0\n}\n"
    assert found(block * 2) == ["5 DR213"]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("vrrp_script S {\ninterval 1\n", ["1 DR209", "1 DR220"]),
        ("track_file F {\nweight 1\n", ["1 DR209", "1 DR220"]),
        ("bfd_instance B {\nmultiplier 3\n", ["1 DR209", "1 DR220"]),
        ("vrrp_sync_group G {\ngroup {\n", ["1 DR209", "1 DR343", "2 DR209", "2 DR217"]),
    ],
)
def test_what_a_block_lacks_is_told_too_where_the_file_ends_first(
    text: str, codes: list[str]
) -> None:
    assert found(text) == codes
