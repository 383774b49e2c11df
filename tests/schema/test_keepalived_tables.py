"""The tables of keepalived's language: complete, consistent, and as the research measured them."""

from __future__ import annotations

import csv
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from corpus import corpus_dir

from drctl.schema.load import load_dialect
from drctl.schema.table import Argument, Block, Dialect, Keyword, version_of

DIALECT = load_dialect("keepalived")
PATHS = sorted(DIALECT.blocks)
NOT_BLOCKS = {"directive"}
"""Tables of statements that are no block: what the lexer understands everywhere."""


def inventory() -> list[dict[str, str]]:
    """Rows of the keyword inventory: block, keyword, arguments, default, alias, 2.2.7, HEAD."""
    corpus = corpus_dir()
    file = corpus.parent / "research" / "keepalived-keywords.tsv" if corpus else None
    if file is None or not file.is_file():
        return []
    names = ("block", "keyword", "arguments", "default", "alias", "old", "new")
    with file.open(encoding="utf-8", newline="") as rows:
        return [dict(zip(names, row, strict=True)) for row in csv.reader(rows, delimiter="\t")][1:]


INVENTORY = inventory()
needs_inventory = pytest.mark.skipif(not INVENTORY, reason="the keyword inventory is not there")


def path_of(row: Mapping[str, str]) -> str:
    return {"(top level)": "", "(lexer)": "directive"}.get(row["block"], row["block"])


def keywords() -> Iterator[tuple[str, Keyword]]:
    """Each keyword once, with the path of the table that it stands in."""
    seen: set[int] = set()
    for path in sorted(PATHS, key=lambda path: (not path.startswith("common/"), path)):
        for keyword in DIALECT.blocks[path].keywords.values():
            if id(keyword) not in seen:
                seen.add(id(keyword))
                yield path, keyword


def arguments(dialect: Dialect) -> Iterator[tuple[str, Argument]]:
    for path in dialect.blocks:
        block = dialect.blocks[path]
        yield from ((path, argument) for argument in block.entry or ())
        for keyword in block.keywords.values():
            every = (keyword.args, *(args for _, args in keyword.newer))
            yield from ((f"{path}.{keyword.name}", arg) for args in every for arg in args)


@needs_inventory
def test_inventory_every_row_is_in_the_tables() -> None:
    missing = []
    for row in INVENTORY:
        block = DIALECT.blocks.get(path_of(row))
        is_entry = row["keyword"] == "<entry>"
        if block is None or (not block.entry if is_entry else row["keyword"] not in block.keywords):
            missing.append((row["block"], row["keyword"]))
    assert missing == []


@needs_inventory
def test_tables_every_keyword_is_in_the_inventory() -> None:
    listed = {(path_of(row), row["keyword"]) for row in INVENTORY}
    shared = {path for path in PATHS if path.startswith("common/")}
    invented = [
        (path, word)
        for path in PATHS
        if path not in shared
        for word, keyword in DIALECT.blocks[path].keywords.items()
        if (path, word) not in listed and not keyword.removed
    ]
    assert invented == []


@needs_inventory
def test_since_keyword_new_after_2_2_7_has_a_later_version() -> None:
    wrong = []
    for row in INVENTORY:
        block: Block = DIALECT.blocks[path_of(row)]
        keyword = block.keywords.get(row["keyword"])
        if keyword is None:
            continue
        since = version_of(block.since_of(keyword) or "1.0.0")
        is_older = since <= version_of(DIALECT.version)
        if is_older != (row["old"] == "y"):
            wrong.append((row["block"], row["keyword"], keyword.since))
    assert wrong == []


@needs_inventory
def test_deprecated_keyword_named_so_in_the_inventory_has_a_replacement() -> None:
    for row in INVENTORY:
        keyword = DIALECT.blocks[path_of(row)].keywords.get(row["keyword"])
        if keyword is not None and "deprecated" in row["alias"] and "->" in row["alias"]:
            assert keyword.deprecated, row
            assert keyword.replacement is not None
            assert keyword.replacement in row["alias"], row


RANGE = re.compile(r"(?<![\w.])(-?\d+(?:\.\d+)?)\.\.(-?\d+(?:\.\d+)?)(?![\d.]*\d)")
OPEN_RANGE = re.compile(r">=(\d+(?:\.\d+)?)")


@needs_inventory
def test_ranges_of_numbers_match_the_inventory() -> None:
    """Of keywords with one number; composite arguments have ranges of their own."""
    compared, wrong = 0, []
    for row in INVENTORY:
        keyword = DIALECT.blocks[path_of(row)].keywords.get(row["keyword"])
        if keyword is None or not keyword.args or "clamped" in row["arguments"]:
            continue
        number = keyword.args[0]
        newest = keyword.newer[-1][1][0] if keyword.newer and keyword.newer[-1][1] else number
        found = RANGE.search(row["arguments"].replace(" ..", ".."))
        if found is None or not re.match(r"unsigned|integer|decimal|port", number.type):
            continue
        compared += 1
        wanted = (float(found[1]), float(found[2]))
        if number.type == "port":
            number = newest = Argument("port", "port", minimum=1, maximum=65535)
        ranges = {(number.minimum, number.maximum), (newest.minimum, newest.maximum)}
        if wanted not in ranges:
            wrong.append((row["block"], row["keyword"], found[0], ranges))
    assert wrong == []
    assert compared > 80


@needs_inventory
def test_open_ranges_of_numbers_match_the_inventory() -> None:
    for row in INVENTORY:
        keyword = DIALECT.blocks[path_of(row)].keywords.get(row["keyword"])
        found = OPEN_RANGE.search(row["arguments"])
        if keyword is not None and keyword.args and found:
            lowest = keyword.args[0].minimum
            assert lowest == float(found[1]) or (lowest is None and found[1] == "0"), row


@pytest.mark.parametrize("path", PATHS)
def test_block_opens_only_tables_that_exist(path: str) -> None:
    for keyword in DIALECT.blocks[path].keywords.values():
        if keyword.opens is not None:
            assert keyword.opens in DIALECT.blocks


def test_every_block_is_opened_by_a_keyword() -> None:
    opened = {keyword.opens for _, keyword in keywords()}
    includes = {path for path in PATHS if path.startswith("common/")}
    assert set(PATHS) - opened - includes - NOT_BLOCKS == {""}


def test_docs_are_present_and_none_twice() -> None:
    places: defaultdict[str, set[str]] = defaultdict(set)
    for path in PATHS:
        places[DIALECT.blocks[path].doc].add(path)
    for path, keyword in keywords():
        places[keyword.doc].add(f"{path}.{keyword.name}")
    assert "" not in places
    assert {doc: names for doc, names in places.items() if len(names) > 1} == {}


def test_docs_are_sentences_with_a_full_stop() -> None:
    for path, keyword in keywords():
        assert len(keyword.doc) > 8, (path, keyword.name)
        assert keyword.doc.endswith("."), (path, keyword.name)
        assert keyword.doc.lower().replace("_", " ") != keyword.name.replace("_", " ")


def test_every_type_is_used_and_described() -> None:
    used = {argument.type for _, argument in arguments(DIALECT)}
    assert used == set(DIALECT.types)
    assert all(DIALECT.types.values())


def test_replacements_stand_beside_the_keyword_or_in_global_defs() -> None:
    everywhere = {**DIALECT.root.keywords, **DIALECT.blocks["global_defs"].keywords}
    for path, keyword in keywords():
        if keyword.replacement is not None:
            beside = {**everywhere, **DIALECT.blocks[path].keywords}
            beside |= DIALECT.blocks["virtual_server/real_server"].keywords
            assert keyword.replacement in beside, (path, keyword.name)
            assert keyword.deprecated is not None or keyword.removed is not None


def test_keywords_named_by_others_exist() -> None:
    for path in PATHS:
        block = DIALECT.blocks[path]
        assert set(block.required) <= set(block.keywords)
        for keyword in block.keywords.values():
            assert keyword.after is None or keyword.after in block.keywords


def test_defaults_are_accepted_by_the_arguments_they_stand_for() -> None:
    for path, keyword in keywords():
        if keyword.default is None or not keyword.args:
            continue
        first = keyword.args[0]
        if first.type == "boolean":
            assert keyword.default in {"on", "off"}, (path, keyword.name)
        elif first.type == "enum":
            assert keyword.default in first.values, (path, keyword.name)
        elif first.type in {"unsigned", "integer", "decimal3", "decimal6"}:
            is_refused_zero = any("0 is the default but" in note for note in keyword.notes)
            value = float(keyword.default)
            assert is_refused_zero or first.minimum is None or value >= first.minimum
            assert first.maximum is None or value <= first.maximum


def test_numbers_without_a_range_are_few_and_meant_so() -> None:
    open_ended = {
        place
        for place, argument in arguments(DIALECT)
        if argument.type in {"unsigned", "integer"}
        and (argument.minimum is None or argument.maximum is None)
    }
    assert {place.rpartition(".")[2] for place in open_ended} == {
        *("vrrp_cpu_affinity", "checker_cpu_affinity", "bfd_cpu_affinity"),
        *("vrrp_rt_priority", "checker_rt_priority", "bfd_rt_priority"),
        *("nftables_priority", "nftables_ipvs_priority"),
    }


def test_processes_are_named_for_every_block() -> None:
    for path in PATHS:
        assert set(DIALECT.blocks[path].read_by) <= {"parent", "checker", "vrrp", "bfd"}
        assert DIALECT.blocks[path].read_by, path


@pytest.mark.parametrize(
    ("path", "word", "version", "types"),
    [
        ("global_defs", "vrrp_strict", "2.2.7", []),
        ("global_defs", "vrrp_strict", "2.3.0", ["boolean"]),
        ("vrrp_script", "interval", "2.3.1", ["unsigned"]),
        ("vrrp_script", "interval", "2.4.0", ["decimal3"]),
    ],
)
def test_arguments_change_with_the_version(
    path: str, word: str, version: str, types: list[str]
) -> None:
    keyword = DIALECT.blocks[path].keywords[word]
    assert [argument.type for argument in keyword.args_in(version_of(version))] == types


def test_tables_are_read_without_tomllib() -> None:
    """Each file but its cases is in the simple form that is read ten times as fast."""
    from drctl.resources import resource_dir
    from drctl.schema.load import read_simple

    folder = resource_dir("grammar") / "keepalived"
    for root, _, files in os.walk(folder):
        for name in files:
            text = Path(root, name).read_text("utf-8").partition("\n[cases")[0]
            assert read_simple(text) is not None, name


@pytest.mark.parametrize(
    ("path", "word", "since"),
    [
        ("", "track_group", "2.0.3"),
        ("", "interface_up_down_delays", "2.2.3"),
        ("", "linkbeat_interfaces", "2.0.13"),
        ("global_defs", "vrrp_strict", "1.2.20"),
        ("global_defs", "vrrp_min_garp", "2.0.12"),
        ("global_defs", "reload_check_config", "2.2.0"),
        ("global_defs", "json_version", "2.2.8"),
        ("global_defs", "use_symlink_paths", "2.3.0"),
        ("global_defs", "iproute_usr_dir", "2.3.2"),
        ("global_defs", "state_dump_file", "2.3.3"),
        ("vrrp_instance", "accept", "1.2.17"),
        ("vrrp_instance", "unicast_ttl", "2.1.0"),
        ("vrrp_instance", "down_timer_adverts", "2.2.3"),
        ("vrrp_instance", "mcast_dst_ip", "2.2.5"),
        ("vrrp_instance", "no_virtual_ipaddress", "2.2.8"),
        ("vrrp_instance", "auth_hmac", "2.4.0"),
        ("bfd_instance", "multihop", "2.2.8"),
        ("virtual_server/real_server", "PING_CHECK", "2.1.0"),
        ("virtual_server/real_server/HTTP_GET", "fast_recovery", "2.0.17"),
        ("virtual_server/real_server/HTTP_GET", "enable_sni", "1.4.3"),
        ("virtual_server/real_server/SSL_GET", "tls_compliant", "2.2.8"),
        ("virtual_server", "mh-port", "2.0.20"),
    ],
)
def test_since_names_the_first_release_that_knows_the_keyword(
    path: str, word: str, since: str
) -> None:
    assert DIALECT.blocks[path].keywords[word].since == since


def test_since_is_left_out_for_what_was_always_known() -> None:
    assert DIALECT.root.keywords["vrrp_instance"].since is None
    assert DIALECT.blocks["vrrp_instance"].keywords["priority"].since is None


def test_keyword_that_another_one_follows_is_in_a_block_around_it() -> None:
    shared, count = {"global_defs", "vrrp_sync_group", "track_file"}, 0
    for path, block in DIALECT.blocks.items():
        if path.startswith("common/"):
            continue
        for keyword in block.keywords.values():
            around = {one for one in DIALECT.blocks if one and path.startswith(f"{one}/")}
            found = []
            for name in keyword.default_from:
                outer, _, word = name.rpartition(".")
                homes = {one for one in around | shared if one.rpartition("/")[2] == outer}
                homes = homes if outer else {path}
                found += [DIALECT.blocks[one].keywords[word] for one in homes]
                count += 1
            assert bool(found) == bool(keyword.default_from), (path, keyword.name)
            for one in found:
                assert one.unit == keyword.unit, (path, keyword.name)
                assert one is not keyword, (path, keyword.name)
    assert count > 100


@pytest.mark.parametrize(
    ("path", "name", "default"),
    [
        ("virtual_server", "lb_algo", "wlc"),
        ("virtual_server", "lb_kind", "NAT"),
        ("virtual_server", "protocol", "UDP"),
        ("vrrp_track_process", "terminate_delay", "0"),
        ("virtual_server/real_server/HTTP_GET/url", "regex_min_offset", "0"),
        ("virtual_server/real_server/MISC_CHECK", "retry", "0"),
        ("virtual_server/real_server/DNS_CHECK", "retry", "3"),
        ("virtual_server/real_server/HTTP_GET", "delay_before_retry", "3"),
        ("virtual_server/real_server", "smtp_alert", "on"),
    ],
)
def test_default_is_that_of_the_source(path: str, name: str, default: str) -> None:
    assert DIALECT.blocks[path].keywords[name].default == default


@needs_inventory
@pytest.mark.parametrize("row", INVENTORY, ids=lambda row: f"{row['block']}-{row['keyword']}")
def test_numeric_default_is_that_of_the_inventory(row: Mapping[str, str]) -> None:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(?: s)?", row["default"])
    keyword = DIALECT.blocks[path_of(row)].keywords.get(row["keyword"])
    if found is None or keyword is None or keyword.args[0].type == "extra_interval":
        return
    assert keyword.default_from or keyword.default is not None
    assert keyword.default is None or float(keyword.default) == float(found[1])
