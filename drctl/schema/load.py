"""Reads the tables in `grammar/` and refuses a bad one with its file and key.

A block's table is `grammar/<dialect>/<path>.toml`, that of the outermost level is `root.toml`:

    [block]
    doc = "A virtual service and its real servers"
    include = ["common/check"]        # keywords of these tables too; the own ones win
    since = ["1.3.0", "warmup 1.3.7"] # first version that knows the included ones here; one alone
                                      # is for all that are older
    entry = ["address address"]       # value block: lines without a keyword
    empty = "reported"                # what is said of one without lines (table.Block)
    raw = true                        # the lines are not statements at all
    read_by = ["vrrp"]                # the program's processes that read the block
    required = ["port"]               # keywords that it cannot do without

    [keyword.port]
    args = ["port port"]              # NAME TYPE[?|*|+] [MINIMUM..MAXIMUM] or NAME TYPE A|B|C
    default = "80"
    default_from = ["server.port"]    # what counts before the default: see table.Keyword
    doc = "Port of the virtual service"
    since = "1.2.20"                  # also removed, deprecated, replacement
    missing = "stops"                 # also extra, again: see table.Keyword
    advised = "1..1023"               # outside it, but inside its range, it is reported
    longest = 15                      # bytes of the first word; with is_cut = true it is cut
    after = "address"                 # must stand above
    newer = ["2.3.2 port port 0..65535"]  # arguments of later versions: VERSION and one argument

    [cases.port]                      # the file's last part, read only when asked for; those of
                                      # a value block's lines are [cases.entry]
    example = "port = 80"             # what to show to people, on the first line
    pass = ["port = 80"]
    fail = [["port = nonsense", "invalid argument"]]

`opens` names the path of another table; `./x` means `x` below this one. Behind `TYPE`, `?` is an
optional word, `*` any number of words, `+` at least one.

The part before `[cases` is TOML of one line per value: strings, lists of strings, whole numbers,
true and false. A few regular expressions read that in a tenth of the time that importing `tomllib`
takes; other TOML is left to `tomllib`. A test holds the two readings against each other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, partial
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from drctl.errors import DrctlError
from drctl.quickclass import MISSING, fields
from drctl.resources import is_file, read_text, resource_path
from drctl.schema.table import Argument, Block, Case, Dialect, Keyword, Lexical, version_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT_TABLE = "root"

_HEADER = re.compile(r'\[([\w.-]+?)(?:\.([\w-]+|"[^"\\]*"))?\][ \t]*(?:#.*)?$')
_ENTRY = re.compile(
    r'([\w-]+)[ \t]*=[ \t]*("[^"\\]*(?:\\.[^"\\]*)*"|\[.*\]|-?\d+|true|false)[ \t]*(?:#.*)?$'
)
_STRING = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"')
_LIST = re.compile(r'\[[ \t]*(?:"[^"\\]*(?:\\.[^"\\]*)*"[ \t]*(?:,[ \t]*|(?=\])))*\]')
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "b": "\b", '"': '"', "\\": "\\"}
_CASES = re.compile(r"^\[cases\b", re.MULTILINE)
_RANGE = re.compile(r"(-?[\d.]*?\d)?\.\.(-?\d[\d.]*)?")
_BARE = re.compile(r"[\w-]+")
_SINCE = re.compile(r"(?:([\w-]+) )?(\d+\.\d+\.\d+)")
_NEWER = re.compile(r"(\d+\.\d+\.\d+)(?: (.+))?")
_ARGUMENT = re.compile(
    r"(?P<name>[\w-]+) (?P<type>\w+)(?P<count>[?*+]?)"
    r"(?: (?P<low>-?[\d.]*?\d)?\.\.(?P<high>-?\d[\d.]*)?| (?P<values>[^ ]+))?"
)

_BLOCK_KEYS: Mapping[str, type] = {
    "doc": str,
    "include": list,
    "since": list,
    "entry": list,
    "empty": str,
    "raw": bool,
    "read_by": list,
    "required": list,
}
_KEYWORD_KEYS: Mapping[str, type] = {
    "args": list,
    "doc": str,
    "default": str,
    "default_from": list,
    "unit": str,
    "field": str,
    "opens": str,
    "repeatable": bool,
    "aliases": list,
    "since": str,
    "removed": str,
    "deprecated": str,
    "replacement": str,
    "notes": list,
    "missing": str,
    "extra": str,
    "again": str,
    "advised": str,
    "longest": int,
    "is_cut": bool,
    "after": str,
    "newer": list,
}
_WORDS: Mapping[str, frozenset[str]] = {
    "missing": frozenset({"refused", "stops", "ignored"}),
    "extra": frozenset({"ignored", "refused"}),
    "again": frozenset({"replaces", "reported", "refused", "kept", "adds"}),
    "empty": frozenset({"ignored", "reported"}),
}
_DIALECT_KEYS: Mapping[str, type] = {
    "name": str,
    "version": str,
    "comment_marks": list,
    "comment_at": str,
    "quotes": list,
    "value_of_quotes": list,
    "blanks": list,
    "equals": str,
    "brace_at": str,
    "maximum_words": int,
    "maximum_line": int,
    "missing": str,
}

Table = dict[str, object]


class BadTable(DrctlError):
    """A table in `grammar/` is not in the format above; names the file and the key."""

    def __init__(self, file: str, key: str, reason: str) -> None:
        self.file = file
        self.key = key
        super().__init__(f"{file}: {key}: {reason}")


@cache
def load_dialect(name: str, folder: str | None = None) -> Dialect:
    """The dialect called `name` (`lvs.cf`, `keepalived`) from `folder`, by default the project's.

    Raises `BadTable`, also for an unknown name. Blocks are read when they are asked for.
    """
    folder = folder or resource_path("grammar")
    file = f"{folder}/dialect.toml"
    for key, table in _read(file, read_text(file)).items():
        if isinstance(table, dict) and table.get("name") == name:
            return _dialect(f"{folder}/{key}", file, key, table)
    raise BadTable(file, name, "no such dialect")


def read_simple(text: str) -> Table | None:
    """Tables of the simple format, nested as `tomllib` nests them; None when `text` has more."""
    tables: Table = {}
    table = tables
    for line in text.split("\n"):
        line = line.strip()
        if not line or line[0] == "#":
            continue
        if line[0] == "[":
            if not (header := _HEADER.match(line)):
                return None
            table = _open(tables, [part.strip('"') for part in header.groups() if part])
            continue
        entry = _ENTRY.match(line)
        if not entry or entry[1] in table:
            return None
        value = _simple_value(entry[2])
        if value is None:
            return None
        table[entry[1]] = value
    return tables


def _open(tables: Table, path: list[str]) -> Table:
    table = tables
    for part in path:
        inner = table.setdefault(part, {})
        assert isinstance(inner, dict)
        table = inner
    return table


def _simple_value(text: str) -> object:
    first = text[0]
    if first == '"':
        return _unescape(text[1:-1])
    if first == "[":
        if not _LIST.fullmatch(text):
            return None
        return [_unescape(item) for item in _STRING.findall(text)]
    return text == "true" if first in "tf" else int(text)


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else _ESCAPES[m[2]], text)


def _read(file: str, text: str) -> Table:
    simple = read_simple(text)
    if simple is not None:
        return simple
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as bad:
        raise BadTable(file, "(whole file)", str(bad)) from bad


def _dialect(folder: str, file: str, key: str, table: Table) -> Dialect:
    types = table.pop("types", {})
    if not isinstance(types, dict):
        raise BadTable(file, f"{key}.types", "not a table")
    values = _checked(file, key, table, _DIALECT_KEYS)
    name, version = values.pop("name"), values.pop("version", "")
    usual_missing = values.pop("missing", "refused")
    missing = {f.name for f in fields(Lexical) if f.default is MISSING} - values.keys()
    if missing:
        raise BadTable(file, key, f"{min(missing)} is missing")
    return Dialect(name, version, Lexical(**values), types, _Blocks(folder, types, usual_missing))


class _Blocks(Mapping[str, Block]):
    """Blocks by path; a file is read when its block is first asked for."""

    def __init__(self, folder: str, types: Mapping[str, str], missing: str) -> None:
        self._folder = folder
        self._types = types
        self._missing = missing
        self._known: dict[str, Block] = {}

    def __getitem__(self, path: str) -> Block:
        if path not in self._known:
            file = f"{self._folder}/{path or ROOT_TABLE}.toml"
            if path == ROOT_TABLE or ".." in path or not is_file(file):
                raise KeyError(path)
            self._known[path] = self._load(path, file)
        return self._known[path]

    def __iter__(self) -> Iterator[str]:
        from pathlib import Path

        folder = Path(self._folder)
        for file in sorted(folder.rglob("*.toml")):
            path = file.relative_to(folder).with_suffix("").as_posix()
            yield "" if path == ROOT_TABLE else path

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _load(self, path: str, file: str) -> Block:
        text = read_text(file)
        cut = _CASES.search(text)
        tables = _read(file, text[: cut.start()] if cut else text)
        for key in tables.keys() - {"block", "keyword"}:
            raise BadTable(file, key, "unknown table; block, keyword or cases expected")
        block = _checked(file, "block", tables.get("block"), _BLOCK_KEYS)
        keywords: dict[str, Keyword] = {}
        since: dict[str, str] = {}
        for other in block.get("include", ()):
            if other not in self:
                raise BadTable(file, "block.include", f"no table {other}")
            keywords |= self[other].keywords
            since |= self[other].since
        _add_since(file, since, keywords, block.get("since", ()))
        own = tables.get("keyword", {})
        assert isinstance(own, dict)
        for name, table in own.items():
            keyword = self._keyword(path, file, name, table)
            since.pop(name, None)
            for word in (name, *keyword.aliases):
                keywords[word] = keyword
        entry = block.get("entry")
        return Block(
            path,
            block.get("doc", ""),
            MappingProxyType(keywords),
            None if entry is None else self._arguments(file, "block.entry", entry),
            block.get("raw", False),
            block.get("read_by", ()),
            block.get("required", ()),
            block.get("empty", "ignored"),
            partial(_cases, file, "entry"),
            since=since,
        )

    def _keyword(self, path: str, file: str, name: str, table: object) -> Keyword:
        key = f"keyword.{name}"
        values = _checked(file, key, table, _KEYWORD_KEYS)
        if not values.get("doc"):
            raise BadTable(file, f"{key}.doc", "missing")
        values.setdefault("missing", self._missing)
        values["args"] = self._arguments(file, f"{key}.args", values.get("args", ()))
        opens = values.get("opens")
        if opens is not None:
            opens = opens if not opens.startswith("./") else f"{path}/{opens[2:]}".lstrip("/")
            values["opens"] = opens
            if not is_file(f"{self._folder}/{opens}.toml"):
                raise BadTable(file, f"{key}.opens", f"no table {opens}")
        if "advised" in values:
            values["advised"] = _range(file, f"{key}.advised", values["advised"])
        if "newer" in values:
            values["newer"] = self._newer(file, f"{key}.newer", values["newer"])
        return Keyword(
            name=name,
            read_cases=partial(_cases, file, name),
            read_example=partial(_example, file, name),
            **values,
        )

    def _newer(
        self, file: str, key: str, texts: tuple[str, ...]
    ) -> tuple[tuple[str, tuple[Argument, ...]], ...]:
        versions: dict[str, list[str]] = {}
        for text in texts:
            found = _NEWER.fullmatch(text)
            if not found:
                raise BadTable(file, key, f"{text!r} is not 'VERSION [ARGUMENT]'")
            versions.setdefault(found[1], []).extend([found[2]] if found[2] else [])
        if list(versions) != sorted(versions, key=version_of):
            raise BadTable(file, key, "versions are not in order")
        return tuple((v, self._arguments(file, key, tuple(a))) for v, a in versions.items())

    def _arguments(self, file: str, key: str, texts: tuple[str, ...]) -> tuple[Argument, ...]:
        arguments = tuple(_argument(file, key, text, self._types) for text in texts)
        for before, argument in pairwise(arguments):
            if before.repeated or (before.optional and not argument.optional):
                raise BadTable(file, key, f"{argument.name} stands behind an open-ended argument")
        return arguments


def _add_since(
    file: str, since: dict[str, str], keywords: Mapping[str, Keyword], texts: tuple[str, ...]
) -> None:
    """Add to `since` the versions of included keywords where they differ from other blocks'."""
    for text in texts:
        found = _SINCE.fullmatch(text)
        if not found or (found[1] and found[1] not in keywords):
            raise BadTable(file, "block.since", f"{text!r} is not '[KEYWORD ]VERSION'")
        if found[1]:
            since[keywords[found[1]].name] = found[2]
            continue
        for keyword in keywords.values():
            known = since.get(keyword.name, keyword.since)
            if known is None or version_of(known) < version_of(found[2]):
                since[keyword.name] = found[2]


def _checked(file: str, key: str, table: object, allowed: Mapping[str, type]) -> dict[str, Any]:
    """`table` with lists as tuples, when all its keys and their types are in `allowed`."""
    if not isinstance(table, dict):
        raise BadTable(file, key, "missing" if table is None else "not a table")
    values: dict[str, Any] = {}
    for name, value in table.items():
        kind = allowed.get(name)
        if kind is None:
            raise BadTable(file, f"{key}.{name}", "unknown key")
        if type(value) is not kind:
            raise BadTable(file, f"{key}.{name}", f"{kind.__name__} expected")
        if isinstance(value, list):
            if not all(isinstance(item, str) for item in value):
                raise BadTable(file, f"{key}.{name}", "list of strings expected")
            value = tuple(value)
        if name in _WORDS and value not in _WORDS[name]:
            raise BadTable(
                file, f"{key}.{name}", f"one of {', '.join(sorted(_WORDS[name]))} expected"
            )
        values[name] = value
    return values


def _range(file: str, key: str, text: str) -> tuple[float | None, float | None]:
    found = _RANGE.fullmatch(text)
    if not found:
        raise BadTable(file, key, f"{text!r} is not 'MINIMUM..MAXIMUM'")
    return _number(found[1]), _number(found[2])


def _argument(file: str, key: str, text: str, types: Mapping[str, str]) -> Argument:
    found = _ARGUMENT.fullmatch(text)
    if not found:
        raise BadTable(file, key, f"{text!r} is not 'NAME TYPE[?*+] [MINIMUM..MAXIMUM|A|B]'")
    if found["type"] not in types:
        raise BadTable(file, key, f"type {found['type']} is not in dialect.toml")
    count, values = found["count"], found["values"]
    low, high = _number(found["low"]), _number(found["high"])
    if low is not None and high is not None and low > high:
        raise BadTable(file, key, f"{text!r} has no values")
    return Argument(
        found["name"],
        found["type"],
        optional=count in ("?", "*"),
        repeated=count in ("*", "+"),
        values=tuple(values.split("|")) if values else (),
        minimum=low,
        maximum=high,
    )


def _number(text: str | None) -> float | None:
    if text is None:
        return None
    return float(text) if "." in text else int(text)


@cache
def _case_tables(file: str) -> Table:
    """The `[cases]` part of a table's file; read by tests and documentation only."""
    text = read_text(file)
    cut = _CASES.search(text)
    tables = _read(file, text[cut.start() :]) if cut else {}
    cases = tables.get("cases", {})
    assert isinstance(cases, dict)
    return cases


def _cases(file: str, name: str) -> tuple[Case, ...]:
    key = f"cases.{name}"
    table = _case_tables(file).get(name, {})
    if not isinstance(table, dict) or table.keys() - {"pass", "fail", "example"}:
        raise BadTable(file, key, "pass, fail and example expected")
    cases = [Case(text) for text in table.get("pass", ()) if isinstance(text, str)]
    for item in table.get("fail", ()):
        if not (isinstance(item, list) and len(item) == 2):
            raise BadTable(file, key, f"{item!r} is not [TEXT, MESSAGE]")
        cases.append(Case(item[0], item[1]))
    return tuple(cases)


def _example(file: str, name: str) -> str:
    """The example of a keyword: the first line of its cases, found without reading the others."""
    head = name if _BARE.fullmatch(name) else f'"{name}"'
    found = re.search(
        rf"^\[cases\.{re.escape(head)}\]\nexample = (.+)$", read_text(file), re.MULTILINE
    )
    if found is None:
        return ""
    text = _simple_value(found[1])
    if not isinstance(text, str):
        raise BadTable(file, f"cases.{name}.example", "str expected")
    return text
