"""The documentation is true: what it shows is what the programs say, and what it names exists."""

from __future__ import annotations

import argparse
import functools
import importlib
import ipaddress
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from corpus import PROJECT

from drctl.cli.main import commands
from drctl.render.checkarg import CHECK_PATH

PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
EXAMPLE = PROJECT / "examples" / "piranha" / "lvs.cf"
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]+")
_OMITTED = "…"
_DOCUMENTATION = [
    ipaddress.ip_network(text)
    for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]
_KNOWN = {"0.0.0.0", "127.0.0.1", "224.0.0.18", "224.0.0.81", "::1"}
_OF_OTHERS = {
    # pulse, ipvsadm, arptables, make, firewall-cmd, systemctl
    *("--forceactive", "--daemon", "--stats", "--mangle-ip-s", "--now"),
    *("--permanent", "--zone", "--add-service", "--dport", "--help"),
}


def _named(page: Path) -> str:
    return page.relative_to(PROJECT).as_posix()


def _text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def _sessions() -> Iterator[tuple[str, str, str]]:
    """Page, command and output of every `$ command` in a console block."""
    for page in PAGES:
        for kind, body in _FENCE.findall(_text(page)):
            if kind != "console":
                continue
            for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
                command, _, output = part.partition("\n")
                yield _named(page), command, output


def _matches(shown: list[str], said: list[str]) -> bool:
    """Whether the lines are the same; an omitted line stands for any number of lines."""
    if not shown:
        return not said
    if shown[0] == _OMITTED:
        return any(_matches(shown[1:], said[at:]) for at in range(len(said) + 1))
    return bool(said) and shown[0] == said[0] and _matches(shown[1:], said[1:])


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A folder with the example's two files, and `drctl` on its own search path."""
    example = EXAMPLE.read_text(encoding="utf-8")
    (tmp_path / "lvs.cf").write_text(example, encoding="utf-8")
    drifted = example.replace("deadtime = 6", "deadtime = 10")
    (tmp_path / "lvs.cf.backup").write_text(drifted, encoding="utf-8")
    programs = tmp_path / "bin"
    programs.mkdir()
    shim = programs / "drctl"
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m drctl "$@"\n', encoding="utf-8")
    shim.chmod(0o755)
    return tmp_path


def _run(command: str, folder: Path) -> str:
    search = f"{folder / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    environment = {**os.environ, "PATH": search, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        check=False,
    )
    return done.stdout


@pytest.mark.parametrize(("page", "command", "shown"), list(_sessions()))
def test_console_block_command_run_prints_what_is_shown(
    page: str, command: str, shown: str, scratch: Path
) -> None:
    said = _run(command, scratch)
    assert _matches(shown.rstrip("\n").split("\n"), said.rstrip("\n").split("\n")), (
        f"{page}: $ {command}\nnow prints\n{said}"
    )


def test_readme_shows_the_steps_of_the_demo_and_a_lab_that_holds() -> None:
    """The lab takes minutes, so its output is judged by its form: what `make demo` prints before
    each step, and every verdict."""
    script = _text(PROJECT / "tools" / "demo.sh")
    lab = next(line for line in script.splitlines() if "== drctl lab run" in line)
    title = lab.split('"')[1].replace("$source", EXAMPLE.relative_to(PROJECT).as_posix())
    (block,) = (body for _, body in _FENCE.findall(_text(PROJECT / "README.md")) if title in body)
    assert block.startswith(f"{title}\n")
    assert block.count("== ") == 3, "the step, and the two methods"
    held = re.findall(r"(\d+) of (\d+) assertions hold", block)
    assert len(held) == 2
    assert all(one == other for one, other in held)
    for method in ("none", "sysctl"):
        assert f"\n== {method}: " in block
        assert re.search(rf"^{method} .*(hijacked, as it must be|ok)$", block, re.MULTILINE)


def test_console_blocks_of_the_tutorial_cover_every_stage() -> None:
    commands = [command for _, command, _ in _sessions()]
    for word in ("show --format table", "--dry-run", "convert lvs.cf --peer-file", "render lvs.cf"):
        assert any(word in command for command in commands), word


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_link_to_a_file_of_the_project_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", _text(page)):
        assert (page.parent / target).exists(), f"{_named(page)} links to {target}"


def _heading_anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in headings}


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_link_to_a_heading_leads_to_one(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", _text(page)):
        other = page if not target else page.parent / target
        assert anchor in _heading_anchors(_text(other)), f"{_named(page)}: {target}#{anchor}"


def test_page_of_the_documentation_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [PROJECT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached:
            reached.add(page)
            links = re.findall(r"\]\(([^)#:]+\.md)", _text(page))
            waiting += [(page.parent / link).resolve() for link in links]
    assert reached >= set(PAGES)


def _parsers() -> dict[str, argparse.ArgumentParser]:
    """Every command that does something, by its words after `drctl`."""
    found: dict[str, argparse.ArgumentParser] = {}

    def walk(parser: argparse.ArgumentParser, words: tuple[str, ...]) -> None:
        nested = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]  # noqa: SLF001
        if not nested:
            found[" ".join(words)] = parser
        for action in nested:
            for name, child in action.choices.items():
                walk(child, (*words, name))

    top = argparse.ArgumentParser()
    subparsers = top.add_subparsers()
    for name in commands():
        importlib.import_module(f"drctl.cli.{name}").register(subparsers)
    walk(top, ())
    return found


def _options(parser: argparse.ArgumentParser) -> set[str]:
    return {
        word
        for action in parser._actions  # noqa: SLF001
        for word in action.option_strings
        if word.startswith("--")
    }


COMMANDS = _parsers()
EXPLAINED = ("convert", "explain", "lab run", "lab up", "render", "show")
"""Commands whose every option has its place in docs/."""


def _command_lines() -> Iterator[tuple[str, str]]:
    """Page and line of everything in code that begins with `drctl` and a command."""
    for page in PAGES:
        text = _text(page)
        spans = re.findall(r"`(drctl [^`\n]+)`", text)
        blocks = [line for _, body in _FENCE.findall(text) for line in body.splitlines()]
        for line in (*spans, *blocks):
            found = re.match(r"(?:\$ )?(?:.*\| )?(drctl [a-z].*)", line)
            if found is not None:
                yield _named(page), found[1].partition(" #")[0]


def test_command_line_in_the_documentation_has_options_that_exist() -> None:
    lines = list(_command_lines())
    assert len(lines) > 20
    for page, line in lines:
        words = line.split()[1:]
        name = next((n for n in COMMANDS if words[: len(n.split())] == n.split()), None)
        known = set().union(*map(_options, COMMANDS.values())) if name is None else None
        options = known if name is None else _options(COMMANDS[name])
        assert options is not None
        own = re.split(r" \| | 2>|&&", line)[0]
        assert set(_OPTION.findall(own)) <= options, f"{page}: {line}"


@functools.cache
def _options_of_our_scripts() -> frozenset[str]:
    templates = PROJECT / "templates"
    texts = [
        (templates / "check" / "drctl-check").read_text(encoding="utf-8"),
        (templates / "install" / "install.sh.j2").read_text(encoding="utf-8"),
    ]
    return frozenset(option for text in texts for option in _OPTION.findall(text))


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_option_in_the_documentation_is_one_of_ours_or_a_known_stranger(page: Path) -> None:
    ours = set().union(*map(_options, COMMANDS.values())) | _options_of_our_scripts()
    assert set(_OPTION.findall(_text(page))) <= ours | _OF_OTHERS


def test_known_stranger_is_still_mentioned() -> None:
    mentioned = {option for page in PAGES for option in _OPTION.findall(_text(page))}
    assert mentioned >= _OF_OTHERS


@pytest.mark.parametrize("command", EXPLAINED)
def test_option_of_a_command_is_explained_in_the_documentation(command: str) -> None:
    pages = "\n".join(_text(page) for page in PAGES if page.parent.name == "docs")
    explained = set(_OPTION.findall(pages))
    assert _options(COMMANDS[command]) - {"--help"} <= explained | {"--output", "--verbose"}


def test_options_with_a_short_form_are_explained_by_it() -> None:
    pages = "\n".join(_text(page) for page in PAGES)
    assert "`-o FILE`" in pages
    assert "`-v`" in pages


@pytest.mark.parametrize("command", EXPLAINED)
def test_help_of_a_command_names_its_exit_codes_and_shows_examples(command: str) -> None:
    text = COMMANDS[command].format_help()
    for heading in ("exit codes:", "examples:"):
        assert re.search(f"^{heading}", text, re.MULTILINE), heading
    for line in re.findall(r"^  (drctl .*)$", text, re.MULTILINE):
        assert set(_OPTION.findall(line)) <= _options(COMMANDS[command]), line


@pytest.mark.parametrize("command", EXPLAINED)
def test_help_of_a_command_has_a_word_for_every_option(command: str) -> None:
    for action in COMMANDS[command]._actions:  # noqa: SLF001
        assert action.help, action.option_strings or action.dest


def test_report_rows_of_the_tutorial_are_rows_of_the_report(scratch: Path) -> None:
    _run("drctl convert lvs.cf --peer-file lvs.cf.backup -o out --on-loss ignore", scratch)
    report = (scratch / "out" / "report.md").read_text(encoding="utf-8").splitlines()
    page = _text(PROJECT / "docs" / "migrate-from-piranha.md")
    rows = re.findall(r"^\| \d+ \| `.*$", page, re.MULTILINE)
    assert len(rows) >= 3
    for row in rows:
        assert row in report


def test_generated_file_in_the_documentation_is_one_that_a_target_makes() -> None:
    listed = _run_json("render", "--list", "--json")
    made = {target["path"] for target in listed["targets"] if target["path"]} | {CHECK_PATH}
    shapes = [re.escape(path) for path in made]
    shapes = [re.sub(r"\\\{\\\{.*?\\\}\\\}", ".*", shape) for shape in shapes]
    # what the operator of a failover daemon puts there himself
    shapes.append(r"/etc/drctl/(?:drctl\.toml|[\w-]+\.(?:secret|public))")
    pattern = re.compile("|".join(shapes))
    for page in PAGES:
        for path in re.findall(r"/(?:usr/libexec|etc)/drctl/[\w.-]*[\w]", _text(page)):
            assert pattern.fullmatch(path), f"{_named(page)}: {path}"


def _run_json(*words: str) -> dict[str, list[dict[str, str]]]:
    done = subprocess.run(
        [sys.executable, "-m", "drctl", *words],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, list[dict[str, str]]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("page", [*PAGES, EXAMPLE], ids=_named)
def test_address_in_the_documentation_is_one_for_documentation(page: Path) -> None:
    words = re.findall(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]\d)", _text(page))
    words += re.findall(r"\b2[0-9a-f]{3}:[0-9a-f:]*[0-9a-f]\b", _text(page))
    for word in words:
        address = word if word in _KNOWN else None
        if address is None and not word.startswith("255."):
            parsed = ipaddress.ip_address(word)
            assert any(parsed in network for network in _DOCUMENTATION), word


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_page_has_no_placeholder_left(page: Path) -> None:
    assert not re.search(r"@[A-Z]+@|TODO|FIXME|XXX", _text(page))
