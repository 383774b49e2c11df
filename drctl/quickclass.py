"""`dataclass` for start-up: the same classes, made in a hundredth of the time.

The standard module imports `inspect`, which takes longer than reading a configuration, and its
decorator compiles source text for each method of each class, about a millisecond a class. Here all
classes have the same methods, and what `dataclasses.fields`, `replace` and `asdict` ask for is made
when one of them asks. For the type checker these *are* the standard functions.

Only plain classes: no inheritance between them, no `ClassVar`, no `__post_init__`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
else:
    from functools import partial
    from operator import attrgetter
    from types import MemberDescriptorType

    _put = object.__setattr__

    class _Missing:
        """The type of MISSING, as in the standard module."""

    MISSING = _Missing()

    class _Field:
        """What is known of one field; the attributes are named as in the standard module."""

        __slots__ = ("compare", "default", "default_factory", "name", "repr")

        def __init__(self, default: Any, default_factory: Any, *, compare: bool, repr: bool):  # noqa: A002
            self.name = ""
            self.default = default
            self.default_factory = default_factory
            self.compare = compare
            self.repr = repr

        def options(self) -> dict[str, Any]:
            """The arguments for the standard module's `field` that make its equal."""
            given = {"compare": self.compare, "repr": self.repr}
            if self.default is not MISSING:
                given["default"] = self.default
            if self.default_factory is not MISSING:
                given["default_factory"] = self.default_factory
            return given

    def field(
        *,
        default: Any = MISSING,
        default_factory: Any = MISSING,
        compare: bool = True,
        repr: bool = True,  # noqa: A002
    ) -> Any:
        """A field whose default is made for each object, or that some methods leave out."""
        return _Field(default, default_factory, compare=compare, repr=repr)

    def dataclass(
        cls: type | None = None, *, frozen: bool = False, slots: bool = False, order: bool = False
    ) -> Any:
        """What `dataclasses.dataclass` with these parameters makes of `cls`, less the compiling."""
        if cls is None:
            return partial(dataclass, frozen=frozen, slots=slots, order=order)
        found = _collected(cls)
        names = tuple(each.name for each in found)
        made = _with_slots(cls, names) if slots else cls
        compared = _getter([each.name for each in found if each.compare])
        made.__quick_fields__ = found
        made.__dataclass_fields__ = _StandardFields()
        made.__match_args__ = names
        made.__init__ = _initializer(made, found)
        made.__eq__ = _equality(made, compared)
        made.__repr__ = _representation([each.name for each in found if each.repr])
        made.__reduce__ = _reduction(made, _getter(list(names)))
        if frozen:
            made.__hash__ = _hashing(compared)
            made.__setattr__ = made.__delattr__ = _refuse_change
        else:
            made.__hash__ = None
        if order:
            made.__lt__ = _less(made, compared)
        return made

    def fields(of: Any) -> tuple[_Field, ...]:
        """The fields of a class of ours or of one of its objects, in order."""
        return of.__quick_fields__

    def is_dataclass(value: Any) -> bool:
        """Whether `value` is a class of ours or an object of one."""
        return hasattr(value, "__quick_fields__")

    def replace(value: Any, **changes: Any) -> Any:
        """A copy of `value` with some fields changed."""
        for each in value.__quick_fields__:
            if each.name not in changes:
                changes[each.name] = getattr(value, each.name)
        return value.__class__(**changes)

    def _collected(cls: type) -> tuple[_Field, ...]:
        """The fields that the class statement declares; the class keeps plain defaults only, as
        from the standard decorator."""
        found = []
        for name in cls.__annotations__:
            default = cls.__dict__.get(name, MISSING)
            if type(default).__module__ == "dataclasses":
                raise TypeError(f"{cls.__name__}.{name}: use drctl.quickclass.field")
            each = default
            if not isinstance(default, _Field):
                each = _Field(default, MISSING, compare=True, repr=True)
            elif default.default is MISSING:
                delattr(cls, name)
            else:
                setattr(cls, name, default.default)
            each.name = name
            found.append(each)
        return tuple(found)

    def _with_slots(cls: type, names: tuple[str, ...]) -> type:
        """The class made again with slots, which cannot be added to one that is there."""
        body = dict(cls.__dict__)
        for name in (*names, "__dict__", "__weakref__"):
            body.pop(name, None)
        made = type(cls)(cls.__name__, cls.__bases__, {**body, "__slots__": names})
        made.__qualname__ = cls.__qualname__
        return made

    class _StandardFields:
        """`__dataclass_fields__`: the fields as the standard module wants them, made on demand."""

        def __get__(self, _value: Any, owner: type) -> dict[str, Any]:
            import dataclasses

            body: dict[str, Any] = {"__annotations__": dict(owner.__annotations__)}
            for each in owner.__quick_fields__:
                body[each.name] = dataclasses.field(**each.options())
            plain = dataclasses.dataclass(init=False, repr=False, eq=False)
            made = plain(type(owner.__name__, (), body)).__dataclass_fields__
            owner.__dataclass_fields__ = made
            return made

    def _initializer(made: type, found: tuple[_Field, ...]) -> Any:
        names = tuple(each.name for each in found)
        every = frozenset(names)
        defaults = {each.name: each.default for each in found if each.default is not MISSING}
        factories = {
            each.name: each.default_factory for each in found if each.default_factory is not MISSING
        }
        puts = [_setter(made, name) for name in names]
        # by how many values are given by place: the defaults of all the others
        rests: dict[int, tuple[Any, ...]] = {len(names): ()}
        for at in range(len(names) - 1, -1, -1):
            if names[at] not in defaults:
                break
            rests[at] = (defaults[names[at]], *rests[at + 1])

        def initialize(self: Any, *args: Any, **given: Any) -> None:
            if not given and len(args) in rests:
                for put, value in zip(puts, args + rests[len(args)], strict=True):
                    put(self, value)
                return
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

    def _setter(made: type, name: str) -> Any:
        """What sets an attribute, frozen or not."""
        slot = made.__dict__.get(name)
        if isinstance(slot, MemberDescriptorType):
            return slot.__set__
        return lambda value, new: _put(value, name, new)

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
        from dataclasses import FrozenInstanceError

        kind = self.__class__.__name__
        raise FrozenInstanceError(f"{kind} is frozen: cannot assign to {name!r}")


__all__ = ["MISSING", "dataclass", "field", "fields", "is_dataclass", "replace"]
