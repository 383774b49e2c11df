"""Folder names: safe, unique, reported."""

from __future__ import annotations

import re

import pytest
from convert_case import GLOBAL, SERVICE, changed, converted, entry, hosts
from hypothesis import given
from hypothesis import strategies as st

from drctl.convert.ledger import Verdict
from drctl.convert.naming import folder_name
from drctl.errors import UsageError


@given(st.text())
def test_folder_name_of_any_text_is_safe_or_empty(text: str) -> None:
    name = folder_name(text)
    assert name == "" or re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", name)
    assert ".." not in name


@pytest.mark.parametrize("name", ["web1", "Web-1.example.com", "a_b", "10.0.0.1"])
def test_folder_name_that_is_safe_stays(name: str) -> None:
    assert folder_name(name) == name


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("../../etc", "etc"),
        ("web 1", "web_1"),
        ("-rf", "rf"),
        (".hidden", "hidden"),
        ("a/b", "a_b"),
        ("..", "192.0.2.21"),
        ("´`'", "192.0.2.21"),
    ],
)
def test_server_with_an_unsafe_name_gets_another_and_is_told(name: str, folder: str) -> None:
    conversion = converted(changed("server web1", f'server "{name}"'))
    assert hosts(conversion)[2:] == sorted([folder, "web2"])
    found = entry(conversion, "server")
    assert found.verdict is not Verdict.EXACT
    assert f"is called {folder}" in found.why


@pytest.mark.parametrize("name", ["web2", "WEB2", "primary", "report.md", "Backup"])
def test_name_that_is_taken_gets_the_address_behind_it(name: str) -> None:
    text = changed("server web1", f"server {name}")
    text = changed("server web2", "server web2x", text) if name != "web2" else text
    text = text + SERVICE.replace("virtual web", "virtual tls").replace(
        "port = 80", "port = 443"
    ).replace("server web1", "server web2").replace("192.0.2.21", "192.0.2.23")
    found = hosts(converted(text))
    assert len({each.lower() for each in found}) == len(found) == 5


def test_one_address_in_two_blocks_is_one_folder() -> None:
    second = SERVICE.replace("virtual web", "virtual tls").replace("port = 80", "port = 443")
    second = second.replace("server web1", "server other")
    conversion = converted(GLOBAL + SERVICE + second)
    assert hosts(conversion) == ["primary", "backup", "web1", "web2"]
    assert "one folder" in entry(conversion, "server other").why


def test_director_that_is_a_real_server_has_one_folder() -> None:
    conversion = converted(changed("address = 192.0.2.21", "address = 192.0.2.3"))
    assert hosts(conversion) == ["primary", "backup", "web2"]
    assert "is the director backup itself" in entry(conversion, "server web1").why


def test_sorry_server_has_a_folder() -> None:
    text = changed("    server web1", "    sorry_server = 192.0.2.99\n    server web1")
    assert "192.0.2.99" in hosts(converted(text))


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-o", ".x", "report.json", "a b", "ä"])
def test_director_with_an_unsafe_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        converted(primary=name)


def test_directors_with_one_name_are_refused() -> None:
    with pytest.raises(UsageError):
        converted(primary="lb", backup="LB")
