"""Second statements: which one counts depends on what the first one came to."""

from __future__ import annotations

import pytest
from lint_case import found, instance

PROCESS = "vrrp_track_process P {\nprocess p\n@\n}\n"
FILE = "track_file F {\nfile /run/f\n@\n}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PROCESS.replace("@", "weight 5\nweight 6"), ["4 DR213"]),
        (PROCESS.replace("@", "weight 0\nweight 6"), []),
        (PROCESS.replace("@", "weight 5\nweight 0"), ["4 DR213"]),
        (PROCESS.replace("@", "weight x\nweight 6"), ["3 DR211"]),
        (PROCESS.replace("@", "weight 5 x\nweight 6"), ["3 DR211", "4 DR213"]),
        (FILE.replace("@", "weight 0\nweight 6"), ["4 DR213"]),
    ],
)
def test_second_weight_is_refused_when_the_first_one_counts(text: str, expected: list[str]) -> None:
    assert found(text) == expected


def test_block_with_a_second_list_of_members_keeps_the_first() -> None:
    text = instance("accept", after="vrrp_sync_group G {\ngroup {\nV1\n}\ngroup {\n}\n}\n")
    assert found(text) == ["12 DR344", "16 DR213", "18 DR208"]
