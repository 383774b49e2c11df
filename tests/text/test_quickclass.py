"""Classes of `quickclass` behave as those of the standard decorator."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys

import pytest

from drctl.quickclass import MISSING, dataclass, field, fields, is_dataclass, replace


@dataclass(frozen=True, slots=True, order=True)
class Quick:
    """One of ours."""

    first: int
    second: str = "b"
    third: list[int] = field(default_factory=list, compare=False, repr=False)


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Standard:
    """The same, by the standard decorator."""

    first: int
    second: str = "b"
    third: list[int] = dataclasses.field(default_factory=list, compare=False, repr=False)


def test_fields_and_replace_are_those_of_a_dataclass() -> None:
    assert [f.name for f in dataclasses.fields(Quick)] == ["first", "second", "third"]
    assert dataclasses.replace(Quick(1), second="c") == Quick(1, "c")
    assert dataclasses.asdict(Quick(1)) == dataclasses.asdict(Standard(1))


def test_functions_of_both_modules_give_the_same() -> None:
    assert [f.name for f in fields(Quick)] == [f.name for f in dataclasses.fields(Quick(1))]
    assert [f.default is MISSING for f in fields(Quick)] == [True, False, True]
    assert replace(Quick(1), second="c") == Quick(1, "c")
    assert is_dataclass(Quick)
    assert is_dataclass(Quick(1))
    assert not is_dataclass(1)
    match Quick(1, "c"):
        case Quick(first, second):
            assert (first, second) == (1, "c")


def test_field_of_the_standard_module_is_refused() -> None:
    class Mixed:
        numbers: list[int] = dataclasses.field(default_factory=list)

    with pytest.raises(TypeError, match=r"Mixed.numbers: use drctl.quickclass.field"):
        dataclass(Mixed)


def test_standard_module_is_imported_only_when_it_is_asked() -> None:
    """Its import takes longer than reading a configuration."""
    script = "import sys, drctl.model.configuration; sys.exit('dataclasses' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_comparison_hash_and_text_follow_the_fields() -> None:
    assert Quick(1, third=[1]) == Quick(1, third=[2])
    assert hash(Quick(1, third=[1])) == hash(Quick(1))
    assert Quick(1) != Quick(2)
    other: object = Standard(1)
    assert Quick(1) != other
    assert Quick(1) < Quick(2)
    assert repr(Quick(1)) == repr(Standard(1)).replace("Standard", "Quick")


def test_default_factory_makes_a_value_for_each() -> None:
    one, other = Quick(1), Quick(1)
    one.third.append(1)
    assert other.third == []


def test_wrong_arguments_are_refused() -> None:
    make: type = Quick
    for args, given in (((), {}), ((1, "b", [], 4), {}), ((1,), {"first": 1}), ((1,), {"no": 1})):
        with pytest.raises(TypeError):
            make(*args, **given)


def test_frozen_value_cannot_be_changed() -> None:
    one = Quick(1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.first = 2  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del one.first
    assert not hasattr(one, "__dict__")


def test_copies_are_equal() -> None:
    one = Quick(1, "c", [1])
    assert copy.deepcopy(one) == one
    assert pickle.loads(pickle.dumps(one)) == one
    assert copy.copy(one).third is one.third
