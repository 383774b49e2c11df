"""keepalived.conf to model: what the file says, by the tables of the `keepalived_*` modules.

Nothing is lost: a statement is the origin of a field, or a leftover of its block with its text and
the reason. Includes, `@id` conditions and `$definitions` are leftovers. Facts: keepalived 2.2.7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from drctl.model.configuration import Configuration
from drctl.model.origin import Leftover
from drctl.model.pair import Rank
from drctl.model.vrrp import VrrpInstance
from drctl.readers import keepalived_words as w
from drctl.readers.keepalived_address import static_address
from drctl.readers.keepalived_block import (
    Context,
    Field,
    Inline,
    Lines,
    Table,
    Values,
    definitions,
    read_into,
    read_lines,
    unusual,
)
from drctl.readers.keepalived_nesting import Nesting, nested
from drctl.readers.keepalived_service import service, service_group
from drctl.readers.keepalived_settings import read_settings, settings_of
from drctl.readers.keepalived_tracking import script
from drctl.readers.keepalived_vrrp import instance, sync_group
from drctl.readers.reading import Reading
from drctl.syntax.tree import Document, Statement
from drctl.text.diagnostic import Severity

if TYPE_CHECKING:
    from drctl.model.routing import Route, Rule, TrackGroup
    from drctl.model.tracking import InterfaceDelay, PolledLink
    from drctl.text.place import Place


def _track_group(context: Context, statement: Statement) -> TrackGroup:
    from drctl.readers.keepalived_routing import track_group

    return track_group(context, statement)


def _monitor(context: Context, statement: Statement) -> Any:
    """A block of `keepalived_monitor`, which is imported when there is one."""
    from drctl.readers.keepalived_monitor import BLOCKS

    return BLOCKS[statement.keyword](context, statement)


def _static_route(words: w.Words, place: Place) -> Iterable[Route]:
    from drctl.readers.keepalived_routing import route

    return route(words, place, is_static=True)


def _static_rule(words: w.Words, place: Place) -> Iterable[Rule]:
    from drctl.readers.keepalived_routing import rule

    return rule(words, place, is_static=True)


def _interface_delay(words: w.Words, place: Place) -> Iterable[InterfaceDelay]:
    from drctl.readers.keepalived_monitor import interface_delay

    return interface_delay(words, place)


def _polled_link(words: w.Words, place: Place) -> Iterable[PolledLink]:
    from drctl.readers.keepalived_monitor import polled_link

    return polled_link(words, place)


_BLOCKS: dict[str, tuple[str, Callable[[Context, Statement], Any]]] = {
    "vrrp_instance": ("instances", instance),
    "vrrp_sync_group": ("sync_groups", sync_group),
    "vrrp_script": ("scripts", script),
    "virtual_server": ("services", service),
    "virtual_server_group": ("service_groups", service_group),
    "track_group": ("track_groups", _track_group),
    **dict.fromkeys(("track_file", "vrrp_track_file"), ("track_files", _monitor)),
    "vrrp_track_process": ("track_processes", _monitor),
    "bfd_instance": ("bfd_sessions", _monitor),
    "garp_group": ("garp_groups", _monitor),
}
UNREAD = "its block ended above, or is skipped"
"""Why keepalived reads a statement as part of nothing."""
_UNIQUE = frozenset({"vrrp_instance", "vrrp_sync_group", "track_group", "bfd_instance"})
"""Blocks whose second one of the same name keepalived skips."""
_OUTER = frozenset(
    {
        *_BLOCKS,
        *("global_defs", "static_ipaddress", "static_routes", "static_rules", "SSL"),
    }
)
"""Blocks that stand at top level only; inside another block its closing brace is missing."""
_ROOT: Table = {
    "net_namespace": Field("namespace.name", w.text, keeps_first=True),
    "net_namespace_ipvs": Field("namespace.ipvs", w.maybe_text, keeps_first=True),
    "namespace_with_ipsets": Field("namespace.has_ipsets", w.flag),
    "linkbeat_use_polling": Field("polls_links", w.flag),
    "SSL": Inline(
        "tls",
        {
            "password": Field("tls.password", w.text),
            "ca": Field("tls.authority", w.text),
            "certificate": Field("tls.certificate", w.text),
            "key": Field("tls.key", w.text),
        },
    ),
}
"""What the top level says without a name."""
_STATIC = {
    "static_ipaddress": Lines("static_addresses", static_address),
    "static_routes": Lines("static_routes", _static_route),
    "static_rules": Lines("static_rules", _static_rule),
    "interface_up_down_delays": Lines("interface_delays", _interface_delay),
    "linkbeat_interfaces": Lines("polled_links", _polled_link),
}


def read(
    document: Document,
    version: tuple[int, ...] = w.MEASURED_VERSION,
    *,
    is_effective: bool = False,
) -> Reading:
    """Model of a keepalived.conf as `version` reads it; never fails, whatever the text is. With
    `is_effective` blocks end where keepalived ends them, otherwise where braces do, and a missing
    one is made good."""
    nesting = nested(document, version) if is_effective else Nesting(document.children)
    context = Context(document, definitions(document), outer=_OUTER, version=version)
    top = Values()
    settings = context.settings
    settings_places = []
    pending = [node for node in reversed(nesting.children) if isinstance(node, Statement)]
    while pending:
        statement = pending.pop()
        if (
            statement.keyword == "global_defs"
            and statement.body
            and not unusual(context, statement)
        ):
            settings_places.append(context.place(statement))
            read_settings(context, settings, statement)
        else:
            _read_statement(context, top, statement)
        for inner in reversed(context.misplaced):
            _warn_misplaced(context, inner)
            pending.append(inner)
        context.misplaced.clear()
    fields = top.outer()
    if values := top.inner("namespace"):
        from drctl.model.setting import Namespace

        fields["namespace"] = Namespace(**values)
    if values := top.inner("tls"):
        from drctl.model.setting import TlsClient

        fields["tls"] = TlsClient(**values)
    configuration = Configuration(
        settings=settings_of(settings, tuple(settings_places)),
        rank=_rank(fields.get("instances", ())),
        **fields,
        leftovers=tuple(top.leftovers),
        origins=top.origins(),
    )
    found = sorted(
        (*context.diagnostics, *nesting.findings), key=lambda d: (d.place.line, d.place.column)
    )
    unread = tuple(context.leftover(one, UNREAD) for one in nesting.unread)
    return Reading(document, configuration, (*document.diagnostics, *found), unread=unread)


def _read_statement(context: Context, top: Values, statement: Statement) -> None:
    if special := unusual(context, statement):
        top.leftovers.append(context.leftover(statement, special))
        return
    try:
        left = _read_block(context, top, statement)
    except ValueError as bad:
        left = context.leftover(statement, str(bad))
        rule = ("DR031", "unreadable-value")
        message = f"{statement.keyword}: {bad}"
        context.warn(context.place(statement), rule, Severity.ERROR, message)
    if left is not None:
        top.leftovers.append(left)


def _read_block(context: Context, top: Values, statement: Statement) -> Leftover | None:
    keyword = statement.keyword
    if keyword in _STATIC and statement.body is not None:
        read_lines(context, top, statement, _STATIC[keyword])
        return None
    if keyword in _ROOT:
        read_into(context, top, (statement,), _ROOT)
        return None
    if keyword not in _BLOCKS:
        return context.leftover(statement, "not modelled")
    if statement.body is None:
        raise ValueError("its block is missing")
    if keyword in _UNIQUE:
        # before it is read: what is in a skipped block stays in its leftover
        key = keyword, statement.values[:1]
        if key in context.seen:
            raise ValueError(f"a second {' '.join((keyword, *key[1]))}, which keepalived skips")
        context.seen.add(key)
    name, reader = _BLOCKS[keyword]
    top.add(name, (reader(context, statement),))
    return None


def _warn_misplaced(context: Context, statement: Statement) -> None:
    message = f"{statement.keyword} inside another block, which is not closed before it"
    rule = ("DR033", "missing-closing-brace")
    context.warn(context.place(statement), rule, Severity.ERROR, message, "add a '}' above")


def _rank(instances: tuple[VrrpInstance, ...]) -> Rank | None:
    """Whose file it is: all instances MASTER, or none and none `nopreempt`, with which both
    directors are BACKUP."""
    if not instances:
        return None
    if all(one.state == "MASTER" for one in instances):
        return Rank.PRIMARY
    if all(one.state != "MASTER" and one.is_preempting for one in instances):
        return Rank.BACKUP
    return None
