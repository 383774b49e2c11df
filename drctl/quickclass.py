"""`dataclass` for start-up: the same classes, made in a tenth of the time.

The standard decorator compiles source text for each method of each class, about a millisecond a
class; a command that imports the model would spend most of its time there. This one lets the
standard decorator collect the fields (`dataclasses.fields`, `replace` and `asdict` work as usual)
and gives all classes the same methods. For the type checker it *is* the standard one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    import dataclasses
    from functools import partial
    from operator import attrgetter

    _put = object.__setattr__

    def dataclass(
        cls: type | None = None, *, frozen: bool = False, slots: bool = False, order: bool = False
    ) -> Any:
        """What `dataclasses.dataclass` with these parameters makes of `cls`, less the compiling."""
        if cls is None:
            return partial(dataclass, frozen=frozen, slots=slots, order=order)
        made = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(cls)
        fields = dataclasses.fields(made)
        compared = [field.name for field in fields if field.compare]
        made.__init__ = _initializer(made, fields)
        made.__eq__ = _equality(made, _getter(compared))
        made.__repr__ = _representation([field.name for field in fields if field.repr])
        made.__reduce__ = _reduction(made, _getter([field.name for field in fields]))
        if frozen:
            made.__hash__ = _hashing(_getter(compared))
            made.__setattr__ = made.__delattr__ = _refuse_change
        else:
            made.__hash__ = None
        if order:
            made.__lt__ = _less(made, _getter(compared))
        return made

    def _initializer(made: type, fields: tuple[dataclasses.Field, ...]) -> Any:
        names = tuple(field.name for field in fields)
        every = frozenset(names)
        missing = dataclasses.MISSING
        defaults = {f.name: f.default for f in fields if f.default is not missing}
        factories = {f.name: f.default_factory for f in fields if f.default_factory is not missing}

        def initialize(self: Any, *args: Any, **given: Any) -> None:
            if args:
                positional = dict(zip(names, args, strict=False))
                if len(args) > len(names) or positional.keys() & given.keys():
                    raise TypeError(f"{made.__name__}(): too many arguments")
                given |= positional
            if given.keys() != every:
                for name, make in factories.items():
                    if name not in given:
                        given[name] = make()
                given = {**defaults, **given}
                if given.keys() != every:
                    wrong = ", ".join(sorted(given.keys() ^ every))
                    raise TypeError(f"{made.__name__}(): missing or unknown arguments: {wrong}")
            for name, value in given.items():
                _put(self, name, value)

        return initialize

    def _getter(names: list[str]) -> Any:
        """The values of some attributes as a tuple."""
        if len(names) > 1:
            return attrgetter(*names)
        return lambda value: tuple(getattr(value, name) for name in names)

    def _equality(made: type, get: Any) -> Any:
        def is_equal(self: Any, other: Any) -> Any:
            if other.__class__ is not made:
                return NotImplemented
            return get(self) == get(other)

        return is_equal

    def _less(made: type, get: Any) -> Any:
        def is_less(self: Any, other: Any) -> Any:
            if other.__class__ is not made:
                return NotImplemented
            return get(self) < get(other)

        return is_less

    def _hashing(get: Any) -> Any:
        def make_hash(self: Any) -> int:
            return hash(get(self))

        return make_hash

    def _representation(names: list[str]) -> Any:
        def represent(self: Any) -> str:
            shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
            return f"{self.__class__.__qualname__}({shown})"

        return represent

    def _reduction(made: type, get: Any) -> Any:
        def reduce(self: Any) -> Any:
            return made, get(self)

        return reduce

    def _refuse_change(self: Any, name: str, *_value: Any) -> None:
        kind = self.__class__.__name__
        raise dataclasses.FrozenInstanceError(f"{kind} is frozen: cannot assign to {name!r}")


__all__ = ["dataclass"]
