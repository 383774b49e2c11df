"""What tests of keepalived.conf share: text to model and back, and models from lvs.cf files."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path

from drctl.convert.ledger import Ledger
from drctl.convert.lower import lower
from drctl.convert.options import ConvertOptions
from drctl.model.configuration import Configuration
from drctl.readers.keepalived import read
from drctl.readers.lvs_cf import read as read_lvs_cf
from drctl.render.keepalived import keepalived_file
from drctl.render.options import RenderOptions
from drctl.syntax.parser import parse, parse_bytes
from drctl.text.source import SourceFile


def model_of(text: str, path: str = "keepalived.conf") -> Configuration:
    """The model of a keepalived.conf."""
    return read(parse(SourceFile(path, text), "keepalived")).configuration


def rendered(configuration: Configuration, source: str = "keepalived.conf") -> str:
    """The text of /etc/keepalived/keepalived.conf."""
    return keepalived_file(configuration, RenderOptions(source))[0].text


def lowered(path: Path) -> list[Configuration]:
    """The directors' configurations of an lvs.cf; empty when the file is of the other dialect."""
    document = parse_bytes(str(path), path.read_bytes())
    if document.dialect != "lvs.cf":
        return []
    pair = lower(read_lvs_cf(document).configuration, ConvertOptions(), Ledger())
    return [pair.primary] if pair.backup is None else [pair.primary, pair.backup]


def as_keepalived_says(configuration: Configuration) -> Configuration:
    """The model without what lvs.cf knows and keepalived has no words for: names of blocks, rules
    that give marks, who the directors are, services that keepalived would ignore."""
    services = tuple(
        replace(
            service,
            name=None,
            mark_rules=(),
            real_servers=tuple(replace(server, name=None) for server in service.real_servers),
        )
        for service in configuration.services
        if service.real_servers
    )
    return replace(configuration, rank=None, directors=(), services=services)


def difference(ours: object, theirs: object, path: str = "model") -> str:
    """Where two models first differ, empty when they are equal; quicker to read, and for pytest to
    print, than two whole models."""
    if ours == theirs:
        return ""
    if type(ours) is type(theirs) and dataclasses.is_dataclass(ours):
        for field in dataclasses.fields(ours):
            one, other = getattr(ours, field.name), getattr(theirs, field.name)
            if field.compare and one != other:
                return difference(one, other, f"{path}.{field.name}")
    if isinstance(ours, tuple) and isinstance(theirs, tuple) and len(ours) == len(theirs):
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            if one != other:
                return difference(one, other, f"{path}[{index}]")
    return f"{path}: {ours!r:.300} is not {theirs!r:.300}"
