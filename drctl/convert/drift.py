"""How the two directors' files differ in what they mean, whatever their order, comments and
blanks are."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from drctl.convert.statement import statement_text
from drctl.model.configuration import Configuration
from drctl.model.origin import SELF, Leftover
from drctl.readers.reading import Reading
from drctl.text.place import Place
from drctl.text.secret import masked

_SKIPPED = frozenset({"origins", "leftovers", "inner", "rank"})
_MASKED = frozenset({"password"})
_NO_MONITOR = frozenset({None, "none"})
_NAMES: dict[str, tuple[str, str]] = {
    "Director": ("director", "name"),
    "VirtualService": ("virtual service", "name"),
    "LocalService": ("failover", "name"),
    "RealServer": ("server", "address"),
    "VrrpInstance": ("vrrp_instance", "name"),
    "SyncGroup": ("vrrp_sync_group", "name"),
    "TrackScript": ("vrrp_script", "name"),
    "ServiceGroup": ("virtual_server_group", "name"),
    "Vip": ("VIP", "address"),
    "Address": ("address", "address"),
    "UnicastPeer": ("unicast_peer", "address"),
    "Hook": ("notify", "event"),
    "Track": ("track", "name"),
    "Url": ("url", "path"),
}


@dataclass(frozen=True, slots=True)
class Drift:
    """A difference: `what` names it, `here` and `there` are the values in the file that decides and
    in the peer's, None where the file does not have the thing, with their places."""

    what: str
    here: str | None
    there: str | None
    place_here: Place | None
    place_there: Place | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What comparing with the peer's file gave; `peer` is its path."""

    peer: str
    drift: tuple[Drift, ...]


def compare(here: Reading, there: Reading, expected: Configuration | None = None) -> Comparison:
    """Every difference between two files, in the order of the first.

    `expected` is what the peer's file should say when that is not what the first one says: the
    other director's side of a keepalived pair.
    """
    walk = _Walk(_Texts(here), _Texts(there))
    walk.objects("", expected or here.configuration, there.configuration)
    if expected is not None:
        walk.clashes(here.configuration, there.configuration)
    found = sorted(walk.found.values(), key=_position)
    return Comparison(there.document.source.path, tuple(found))


def _position(drift: Drift) -> int:
    place = drift.place_here or drift.place_there
    return 0 if place is None else place.line


class _Texts:
    """The statements of the files by place."""

    def __init__(self, reading: Reading) -> None:
        self._by_start = {}
        secrets = () if reading.view is None else reading.view.secrets
        for document in reading.documents:
            for statement in document.walk():
                text = statement_text(statement, secrets)
                self._by_start[document.place(statement)[:3]] = text

    def at(self, place: Place | None) -> str | None:
        """The statement that starts at `place`."""
        return None if place is None else self._by_start.get(place[:3])


class _Walk:
    """Collects differences; several fields set by the same statements are one difference."""

    def __init__(self, here: _Texts, there: _Texts) -> None:
        self._here = here
        self._there = there
        self.found: dict[Hashable, Drift] = {}

    def objects(self, path: str, one: Any, other: Any) -> None:
        """Differences of two objects of one class."""
        for field in fields(one):
            if field.name in _SKIPPED:
                continue
            left, right = getattr(one, field.name), getattr(other, field.name)
            if left == right or (field.name == "load_monitor" and {left, right} <= _NO_MONITOR):
                continue
            if is_dataclass(left) and type(left) is type(right):
                self.objects(path, left, right)
            elif _holds_objects(left) or _holds_objects(right):
                self._items(path, left or (), right or ())
            else:
                places = _last(one, field.name), _last(other, field.name)
                values = _shown(field.name, left), _shown(field.name, right)
                self._value(path, _words(field.name), values, places)
        self._leftovers(path, getattr(one, "leftovers", ()), getattr(other, "leftovers", ()))

    def clashes(self, one: Configuration, other: Configuration) -> None:
        """What must not be alike on both directors of a pair: priority, and the state MASTER."""
        theirs = {instance.name: instance for instance in other.instances}
        for instance in one.instances:
            peer = theirs.get(instance.name)
            if peer is None:
                continue
            for name, is_clash in (
                ("priority", instance.priority is not None and instance.priority == peer.priority),
                ("state", instance.state == peer.state == "MASTER"),
            ):
                if is_clash:
                    what = f"vrrp_instance {instance.name}: the same {name} on both directors"
                    places = _last(instance, name), _last(peer, name)
                    self._add(what, (self._here.at(places[0]), self._there.at(places[1])), places)

    def _items(self, path: str, left: Any, right: Any) -> None:
        ours, theirs = _keyed(left), _keyed(right)
        pairs = [(item, theirs.pop(key)) for key, item in ours.items() if key in theirs]
        paired = {id(one) for one, _ in pairs}
        by_name = {_named(one): key for key, one in reversed(theirs.items())}
        for item in ours.values():
            if id(item) in paired:
                continue
            # the same name with another address is one server that has moved
            key = None if _named(item) is None else by_name.pop(_named(item), None)
            if key is not None:
                pairs.append((item, theirs.pop(key)))
            else:
                self._only(_path(path, item), item, is_here=True)
        for one, other in pairs:
            self.objects(_path(path, one), one, other)
        for item in theirs.values():
            self._only(_path(path, item), item, is_here=False)

    def _only(self, label: str, item: Any, *, is_here: bool) -> None:
        place = _first(item)
        texts = self._here if is_here else self._there
        text = texts.at(place) or label
        sides = (text, None) if is_here else (None, text)
        places = (place, None) if is_here else (None, place)
        self._add(label, sides, places)

    def _value(
        self,
        path: str,
        name: str,
        values: tuple[str | None, str | None],
        places: tuple[Place | None, Place | None],
    ) -> None:
        if places == (None, None) and path:
            # follows from another value, which is told itself
            return
        texts = self._here.at(places[0]), self._there.at(places[1])
        sides = tuple(
            text or (None if value is None else f"{value} (default)" if place is None else value)
            for text, value, place in zip(texts, values, places, strict=True)
        )
        known = next((text for text in texts if text), None)
        word = known.split()[0] if known else name
        self._add(f"{path}: {word}" if path else word, (sides[0], sides[1]), places)

    def _leftovers(
        self, path: str, left: tuple[Leftover, ...], right: tuple[Leftover, ...]
    ) -> None:
        """Statements outside the model, by their text; two with one keyword are one difference."""
        theirs: dict[str, list[Leftover]] = defaultdict(list)
        for other in (Counter(right) - Counter(left)).elements():
            theirs[_word_of(other)].insert(0, other)
        for one in (Counter(left) - Counter(right)).elements():
            alike = theirs[_word_of(one)]
            self._leftover(path, one, alike.pop() if alike else None)
        for others in theirs.values():
            for other in reversed(others):
                self._leftover(path, None, other)

    def _leftover(self, path: str, one: Leftover | None, other: Leftover | None) -> None:
        present = one or other
        assert present is not None, "one of the two is there"
        word = _word_of(present)
        places = (one.place if one else None), (other.place if other else None)
        sides = self._here.at(places[0]), self._there.at(places[1])
        self._add(f"{path}: {word}" if path else word, sides, places)

    def _add(
        self,
        what: str,
        sides: tuple[str | None, str | None],
        places: tuple[Place | None, Place | None],
    ) -> None:
        key = places if places != (None, None) else what
        self.found.setdefault(key, Drift(what, *sides, *places))


def _path(path: str, item: Any) -> str:
    return f"{path}, {_label(item)}" if path else _label(item)


def _named(item: Any) -> Hashable:
    """Class and name of an object that has one."""
    name = getattr(item, "name", None)
    return (type(item), name) if name else None


def _holds_objects(value: Any) -> bool:
    """Whether `value` is an object of the model or a tuple of them."""
    return is_dataclass(value) or (
        isinstance(value, tuple) and bool(value) and is_dataclass(value[0])
    )


def _keyed(items: Any) -> dict[Hashable, Any]:
    """Objects by what tells them apart; of several alike the first, the second and so on."""
    found: dict[Hashable, Any] = {}
    times: Counter[Hashable] = Counter()
    for item in items if isinstance(items, tuple) else (items,):
        key = _key(item)
        times[key] += 1
        found[key, times[key]] = item
    return found


def _key(item: Any) -> Hashable:
    kind = type(item).__name__
    match kind:
        case "Director":
            return kind, item.rank
        case "VirtualService" if not item.name:
            return kind, item.address, item.port, item.mark, item.group, item.protocol
        case "RealServer" if item.name is None:
            return kind, item.address, item.port
        case "Track":
            return kind, item.kind, item.name
        case _ if kind in _NAMES:
            return kind, getattr(item, _NAMES[kind][1])
        case _:
            return kind


def _label(item: Any) -> str:
    kind = type(item).__name__
    word, attribute = _NAMES.get(kind, (kind, ""))
    if kind == "VirtualService" and not item.name:
        if item.mark is not None:
            return f"{word} fwmark {item.mark}"
        return f"{word} {item.group or item.address} {item.port or ''}".rstrip()
    name = getattr(item, attribute, None) if attribute else None
    return word if name is None else f"{word} {name}"


def _words(name: str) -> str:
    for unit in ("_ms", "_s", "_bytes"):
        name = name.removesuffix(unit)
    return name.removeprefix("is_").replace("_", " ")


def _shown(name: str, value: Any) -> str | None:
    if value is None:
        return None
    if name in _MASKED:
        return "********"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith("_ms") and isinstance(value, int):
        return f"{value / 1000:g} s"
    return masked(str(value))


def _word_of(leftover: Leftover) -> str:
    words = leftover.text.split(None, 1)
    return words[0].rstrip("=") if words else ""


def _last(item: Any, name: str) -> Place | None:
    """Where a field got its value: the last statement that set it."""
    places = item.origins.get(name, ())
    return places[-1] if places else None


def _first(item: Any) -> Place | None:
    """Where an object begins."""
    return next(_all_places(item), None)


def _all_places(item: Any) -> Iterator[Place]:
    yield from item.origins.get(SELF, ())
    for places in item.origins.values():
        yield from places
