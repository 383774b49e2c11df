"""The services that an lvs.cf may name for a port: the one table of them."""

from __future__ import annotations

from functools import cache

from drctl.resources import read_text, resource_path
from drctl.schema.load import read_simple


def tcp_port(name: str) -> int | None:
    """Port of the tcp service `name` in `grammar/services.toml`, else None; case matters."""
    return _services().get(name)


@cache
def _services() -> dict[str, int]:
    file = f"{resource_path('grammar')}/services.toml"
    tables = read_simple(read_text(file))
    assert tables is not None, file
    table = tables["tcp"]
    assert isinstance(table, dict)
    return {name: int(port) for port, names in table.items() for name in names}
