"""Configurations made of the right examples of the grammar's tables, for comparing what they mean.

Each example stands in the least surroundings that it needs, and many share a configuration.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from agreement.meaning_world import Asked
from schema.keepalived_oracle_cases import ALONE, Question, written

from drctl.schema.load import load_dialect
from drctl.schema.table import Case, Keyword, version_of

BLOCKS = (
    *("vrrp_instance", "vrrp_sync_group", "vrrp_script", "virtual_server", "static_ip"),
    *("static_routes", "static_rules", "track_file", "vrrp_track_process", "bfd_instance"),
)
"""The blocks whose meaning is compared, with what is in them."""
SHARED = "common/"
IN_A_CHECK = "virtual_server/real_server/TCP_CHECK"
MOST = 60
TOO_FINE = re.compile(r"\.\d{4}")
"""Times that the model has no place for: its unit is the millisecond."""
CHANGES_ALL = {"use_vmac", "use_ipvlan", "use_vmac_addr", "virtual_router_id"}
"""Keywords that make devices, or after which two instances are one."""


TRACKING = """\
vrrp_instance track-{name} {{
interface t0
virtual_router_id {id}
virtual_ipaddress {{
192.0.2.1
}}
track_script {{
{name}
}}
}}
"""


def sheets() -> list[Asked]:
    """All examples, some on each configuration."""
    questions = list(_questions())
    parts = [questions[first : first + MOST] for first in range(0, len(questions), MOST)]
    return [Asked(f"examples{number}.conf", _sheet(part)) for number, part in enumerate(parts)]


def _sheet(questions: Sequence[Question]) -> str:
    """A configuration with all these; scripts are tracked, since the others are dropped."""
    tracking = [
        TRACKING.format(name=f"s{number}", id=number)
        for number, question in enumerate(questions, start=2)
        if question.path == "vrrp_script"
    ]
    return written(questions)[0] + "".join(tracking)


def _questions() -> Iterator[Question]:
    dialect = load_dialect("keepalived")
    version = version_of(dialect.version)
    seen: set[int] = set()
    for path, block in sorted(dialect.blocks.items()):
        if not path.startswith((SHARED, *BLOCKS)):
            continue
        place = IN_A_CHECK if path.startswith(SHARED) else path
        for case in block.cases:
            if _is_told(case):
                yield Question(place, case.text)
        for keyword in block.keywords.values():
            if id(keyword) in seen or not _is_compared(keyword, version):
                continue
            seen.add(id(keyword))
            yield from (Question(place, case.text) for case in keyword.cases if _is_told(case))


def _is_told(case: Case) -> bool:
    return case.is_accepted and TOO_FINE.search(case.text) is None


def _is_compared(keyword: Keyword, version: tuple[int, ...]) -> bool:
    is_known = version_of(keyword.since or "1.0.0") <= version
    return is_known and keyword.name not in ALONE and keyword.name not in CHANGES_ALL
