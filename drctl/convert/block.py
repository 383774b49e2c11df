"""Where the statements of a virtual block stand."""

from __future__ import annotations

from drctl.model.service import VirtualService
from drctl.text.place import Place


def places_of_block(service: VirtualService) -> list[tuple[Place, ...]]:
    """Places of every statement of a virtual that has a field."""
    found: list[tuple[Place, ...]] = list(service.origins.values())
    if service.vip is not None:
        found.extend(service.vip.origins.values())
    if service.nanny is not None:
        found.extend(service.nanny.origins.values())
    if service.sorry_server is not None:
        found.extend(service.sorry_server.origins.values())
    for server in service.real_servers:
        found.extend(server.origins.values())
    return found
