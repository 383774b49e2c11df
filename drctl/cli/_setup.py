"""The machines of a setup, as the conversion of a configuration names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drctl.quickclass import dataclass

if TYPE_CHECKING:
    from drctl.model.configuration import Configuration
    from drctl.render.host import Host


@dataclass(frozen=True)
class Setup:
    """`views` are the directors' configurations in keepalived's terms, the primary's first;
    `source` is the file's own name."""

    views: tuple[Configuration, ...]
    hosts: tuple[Host, ...]
    source: str


def read_setup(path: str, dialect: str) -> Setup:
    """Read a keepalived.conf or lvs.cf."""
    from drctl.cli.common import read_configuration
    from drctl.convert.directors import base_name, directors_of
    from drctl.convert.ledger import Ledger
    from drctl.convert.naming import choose_names
    from drctl.convert.options import ConvertOptions
    from drctl.render.host import hosts_of

    reading = read_configuration(path, dialect)
    choices, ledger = ConvertOptions(), Ledger()
    directors = directors_of((reading,), choices, ledger)
    names = choose_names(directors, choices, ledger)
    hosts = hosts_of(directors.primary, directors.backup, names)
    views = [directors.primary] + ([directors.backup] if directors.backup else [])
    return Setup(tuple(views), hosts, base_name(reading.document.source.path))
