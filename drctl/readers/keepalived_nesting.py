"""The blocks of a document as keepalived nests them, where braces alone say something else.

keepalived finds the end of a block by its keywords: the `{` of what is no block there is passed
over, and its `}` closes the block around it. Each of its processes skips the blocks of the others
by counting braces, so what one reads wrongly another one may read rightly. Facts:
`process_stream`, `alloc_value_block` and `skip_block` of lib/parser.c, keepalived 2.2.7.
"""

from __future__ import annotations

from typing import NamedTuple

from drctl.syntax.tree import CLOSE, OPEN, Body, Document, ErrorNode, Leaf, Node, Statement
from drctl.text.diagnostic import Diagnostic, Severity

Version = tuple[int, ...]


class Kind(NamedTuple):
    """A block: whether its lines are values, and the first version that knows it."""

    path: str
    is_value: bool = True
    since: Version = ()


def _values(path: str, since: Version = ()) -> Kind:
    return Kind(path, since=since)


def _keywords(path: str, since: Version = ()) -> Kind:
    return Kind(path, is_value=False, since=since)


_TRACKED = {
    "track_interface": (),
    "track_script": (),
    "track_file": (2, 0, 0),
    "track_process": (2, 0, 11),
    "track_bfd": (2, 0, 0),
}
_TRACKED_SINCE = (2, 0, 0)
"""From here on in sync groups too."""
BLOCKS: dict[str, dict[str, Kind]] = {
    "": {
        "global_defs": _keywords("global_defs"),
        "linkbeat_interfaces": _values("linkbeat_interfaces", (2, 0, 13)),
        "interface_up_down_delays": _values("interface_up_down_delays", (2, 2, 3)),
        "static_ipaddress": _values("static_ipaddress"),
        "static_routes": _values("static_routes"),
        "static_rules": _values("static_rules", (1, 2, 20)),
        "track_group": _keywords("track_group", (2, 0, 3)),
        "garp_group": _keywords("garp_group", (1, 2, 21)),
        "vrrp_instance": _keywords("vrrp_instance"),
        "vrrp_sync_group": _keywords("vrrp_sync_group"),
        "vrrp_script": _keywords("vrrp_script"),
        "vrrp_track_process": _keywords("vrrp_track_process", (2, 0, 11)),
        "track_file": _keywords("track_file", (2, 1, 0)),
        "vrrp_track_file": _keywords("vrrp_track_file", (2, 0, 0)),
        "bfd_instance": _keywords("bfd_instance", (2, 0, 0)),
        "virtual_server_group": _values("virtual_server_group"),
        "virtual_server": _keywords("virtual_server"),
        "SSL": _keywords("SSL"),
    },
    "global_defs": {"notification_email": _values("notification_email")},
    "garp_group": {"interfaces": _values("interfaces", (1, 2, 21))},
    "track_group": {"group": _values("group", (2, 0, 3))},
    "vrrp_sync_group": {
        "group": _values("group"),
        **{name: _values(name, max(since, _TRACKED_SINCE)) for name, since in _TRACKED.items()},
    },
    "vrrp_instance": {
        "virtual_ipaddress": _values("virtual_ipaddress"),
        "virtual_ipaddress_excluded": _values("virtual_ipaddress_excluded"),
        "virtual_routes": _values("virtual_routes"),
        "virtual_rules": _values("virtual_rules", (1, 2, 20)),
        "authentication": _keywords("authentication"),
        "auth_hmac": _keywords("auth_hmac", (2, 4, 0)),
        "unicast_peer": _values("unicast_peer", (1, 2, 8)),
        **{name: _values(name, since) for name, since in _TRACKED.items()},
    },
    "virtual_server": {"real_server": _keywords("real_server")},
    "real_server": {
        "HTTP_GET": _keywords("HTTP_GET"),
        "SSL_GET": _keywords("SSL_GET"),
        "TCP_CHECK": _keywords("TCP_CHECK"),
        "SMTP_CHECK": _keywords("SMTP_CHECK"),
        "DNS_CHECK": _keywords("DNS_CHECK", (1, 3, 0)),
        "MISC_CHECK": _keywords("MISC_CHECK"),
        "PING_CHECK": _keywords("PING_CHECK", (2, 1, 0)),
        "UDP_CHECK": _keywords("UDP_CHECK", (2, 1, 0)),
        "BFD_CHECK": _keywords("BFD_CHECK", (2, 0, 0)),
        "FILE_CHECK": _keywords("FILE_CHECK", (2, 1, 0)),
    },
    "HTTP_GET": {"url": _keywords("url")},
    "SSL_GET": {"url": _keywords("url")},
    "SMTP_CHECK": {"host": _keywords("host")},
}
"""The blocks that may stand in a block, by its keyword; the empty one is the outermost level."""
READERS = {
    "parent": frozenset({"global_defs"}),
    "checker": frozenset({"virtual_server_group", "virtual_server", "SSL"}),
    "vrrp": frozenset(BLOCKS[""])
    - {"global_defs", "virtual_server_group", "virtual_server", "SSL"},
}
"""The blocks of the outermost level that each process reads. Those that several read, and `bfd`,
are given to one of them."""
_NAMED_ONCE = frozenset({"vrrp_instance", "vrrp_sync_group", "track_group", "bfd_instance"})
"""Of these the second one of a name is skipped by counting braces."""
_TAKES_ANY_NAME = "track_interface"
"""Here a brace too many is a device."""
_MOST_FINDINGS = 100


class Nesting(NamedTuple):
    """The statements of the outermost level, those that no process of keepalived reads as part of
    anything, and what is to be said of it."""

    children: tuple[Node, ...]
    unread: tuple[Statement, ...] = ()
    findings: tuple[Diagnostic, ...] = ()


def nested(document: Document, version: Version) -> Nesting:
    """The blocks as `version` of keepalived nests them; those of the document when its braces say
    the same."""
    if document.is_template or _is_sound(document, version):
        return Nesting(document.children)
    events = _events(document)
    found: dict[int, Statement] = {}
    plain: dict[int, Statement] = {}
    seen: set[int] = set()
    findings: dict[tuple[int, str], Diagnostic] = {}
    for process, names in READERS.items():
        reading = _Process(document, version, process)
        for statement in reading.read(events):
            if statement.keyword in names:
                found[statement.words[0].start] = statement
                seen.update(_starts(statement))
            elif process == "parent":
                plain[statement.words[0].start] = statement
        findings.update(reading.findings)
    found.update((start, one) for start, one in plain.items() if start not in seen)
    unread = tuple(
        Statement(one.words)
        for one in document.walk()
        if one.words[0].start not in seen and one.words[0].start not in found
    )
    told = tuple(findings[key] for key in sorted(findings)[:_MOST_FINDINGS])
    return Nesting(tuple(found[start] for start in sorted(found)), unread, told)


def _starts(statement: Statement) -> list[int]:
    """Where the statement and all in its block begin."""
    starts = []
    pending = [statement]
    while pending:
        one = pending.pop()
        starts.append(one.words[0].start)
        if one.body is not None:
            pending.extend(one.body.statements)
    return starts


def _kind_of(around: str, keyword: str, version: Version) -> Kind | None:
    """The block that a keyword opens in another one, None when it opens none."""
    found = BLOCKS.get(around, {}).get(keyword)
    return found if found is not None and version >= found.since else None


def _is_sound(document: Document, version: Version) -> bool:
    """Whether all that has a block is one, and all that is one has it."""
    pending: list[tuple[str, bool, tuple[Node, ...]]] = [("", False, document.children)]
    while pending:
        around, is_value, nodes = pending.pop()
        known = {} if is_value else BLOCKS.get(around, {})
        for node in nodes:
            if isinstance(node, ErrorNode):
                return False
            body = node.body
            if body is None and not known:
                continue
            kind = known.get(node.keyword)
            if kind is not None and version < kind.since:
                kind = None
            if kind is None and body is None:
                continue
            if kind is None or body is None or body.close is None:
                # at the outermost level what is in an unknown block matters only to blocks
                if kind is None and body is not None and not around and _is_inert(body):
                    continue
                return False
            pending.append((kind.path, kind.is_value, body.children))
    return True


def _is_inert(body: Body) -> bool:
    """Whether nothing in a block would be a block at the outermost level."""
    if body.close is None:
        return False
    pending = [body]
    while pending:
        for node in pending.pop().children:
            if isinstance(node, ErrorNode) or node.keyword in BLOCKS[""]:
                return False
            if node.body is not None:
                pending.append(node.body)
    return True


class _Event(NamedTuple):
    """A statement without its block, or a brace; `after` is the event behind the block of a
    statement, which a brace that closes nothing does not end."""

    node: Statement | Leaf
    after: int = 0


def _events(document: Document) -> list[_Event]:
    """The statements and braces in the order of the text."""
    events: list[_Event] = []
    pending: list[Node | Leaf | int] = list(reversed(document.children))
    while pending:
        node = pending.pop()
        if isinstance(node, int):
            events[node] = events[node]._replace(after=len(events))
        elif isinstance(node, Leaf):
            if node.kind in (OPEN, CLOSE):
                events.append(_Event(node))
        elif isinstance(node, ErrorNode):
            pending.extend(reversed(node.leaves_))
        else:
            pending.append(len(events))
            events.append(_Event(node))
            if node.body is not None:
                if node.body.close is not None:
                    pending.append(node.body.close)
                pending.extend(reversed(node.body.children))
                pending.append(node.body.open)
    return events


class _Frame:
    """A block that is being read; `opened` is its brace, None as long as it is awaited."""

    __slots__ = ("awaits", "children", "kind", "opened", "statement")

    def __init__(self, kind: Kind, statement: Statement | None) -> None:
        self.kind = kind
        self.statement = statement
        self.children: list[Node] = []
        self.opened: Leaf | None = None
        self.awaits = statement is not None


class _Process:
    """One of keepalived's processes, which reads its own blocks and skips the others."""

    def __init__(self, document: Document, version: Version, process: str) -> None:
        self._document = document
        self._version = version
        self._own = READERS[process]
        self._frames = [_Frame(_keywords(""), None)]
        self._names: set[tuple[str, str]] = set()
        self.findings: dict[tuple[int, str], Diagnostic] = {}

    def read(self, events: list[_Event]) -> list[Statement]:
        """The statements of the outermost level."""
        at = 0
        while at < len(events):
            node, after = events[at]
            at += 1
            if isinstance(node, Leaf):
                self._brace(node)
            elif self._is_skipped(node):
                at = after
            else:
                self._statement(node)
        while len(self._frames) > 1:
            self._close(None)
        return [node for node in self._frames[0].children if isinstance(node, Statement)]

    def _is_skipped(self, statement: Statement) -> bool:
        """Whether keepalived passes over the statement and its block by counting braces."""
        frame = self._frames[-1]
        if len(self._frames) > 1:
            return False
        keyword = statement.keyword
        if _kind_of("", keyword, self._version) is None:
            return False
        if keyword not in self._own:
            return True
        key = keyword, "".join(statement.values[:1])
        if keyword in _NAMED_ONCE and key in self._names:
            frame.children.append(statement)
            return True
        self._names.add(key)
        return False

    def _statement(self, statement: Statement) -> None:
        frame = self._frames[-1]
        if frame.awaits:
            self._tell_missing(frame)
        plain = Statement(statement.words)
        frame.children.append(plain)
        kind = None
        if not frame.kind.is_value:
            kind = _kind_of(frame.kind.path, statement.keyword, self._version)
        if kind is not None:
            self._frames.append(_Frame(kind, plain))

    def _brace(self, brace: Leaf) -> None:
        frame = self._frames[-1]
        if brace.kind is CLOSE:
            if len(self._frames) > 1:
                self._close(brace)
        elif frame.awaits:
            frame.awaits = False
            frame.opened = brace
        elif frame.statement is not None:
            if frame.kind.path == _TAKES_ANY_NAME:
                frame.children.append(Statement((brace,)))
            keyword = frame.statement.keyword
            before = frame.children[-1] if frame.children else None
            what = f"{before.keyword} is no block" if isinstance(before, Statement) else "none"
            message = (
                f"'{{': {what} that keepalived knows in {keyword}, so its '}}' closes {keyword}"
            )
            self._tell(brace, ("DR207", "unexpected-opening-brace"), message, "remove the block")

    def _close(self, brace: Leaf | None) -> None:
        frame = self._frames.pop()
        assert frame.statement is not None
        if frame.awaits:
            self._tell_missing(frame)
        opened = frame.opened or frame.statement.words[-1]
        frame.statement.body = Body(opened, tuple(frame.children), brace)

    def _tell_missing(self, frame: _Frame) -> None:
        frame.awaits = False
        assert frame.statement is not None
        last = frame.statement.words[-1]
        message = (
            f"'{{' is missing behind {frame.statement.keyword}: keepalived reads on up to '}}'"
        )
        self._tell(last, ("DR206", "missing-opening-brace"), message, "add a '{'")

    def _tell(self, leaf: Leaf, rule: tuple[str, str], message: str, hint: str) -> None:
        place = self._document.place(leaf)
        found = Diagnostic(place, *rule, Severity.ERROR, message, hint)
        self.findings.setdefault((leaf.start, rule[0]), found)
