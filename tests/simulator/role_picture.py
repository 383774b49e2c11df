"""Draws docs/roles.svg: the roles of a director, with the changes that the core's histories show.

The changes and their reasons are those in the transcripts of tests/scenarios, which are what the
core does in them; only where the boxes stand is decided here.
"""

from __future__ import annotations

import itertools
import math
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping
from html import escape

from corpus import PROJECT

SCENARIOS = PROJECT / "tests" / "scenarios"
PICTURE = PROJECT / "docs" / "roles.svg"

Change = tuple[str, str]
Point = tuple[float, float]

_CHANGE = re.compile(r" lb\d: \w+ (\w+) -> (\w+), epoch \d+: (.*)$", re.MULTILINE)
_PLAIN = (
    (r"silent: lb\d(, lb\d)*", "another is silent"),
    (r"\blb\d\b", "another"),
    (r"\b(svc|dmz)\b", "a card"),
    (r"\bservice\b", "something tracked"),
    (r"\b\d+\.\d+\.\d+\.\d+\b", "a VIP"),
    (r"^(switch|pause)$", r"operator: \1"),
)

WIDTH, BOX_WIDTH, BOX_HEIGHT = 1080, 116, 44
PLACES: dict[str, Point] = {
    "held": (90, 100),
    "fault": (90, 340),
    "standby": (370, 220),
    "suspect": (370, 50),
    "taking": (650, 130),
    "active": (960, 130),
    "yielding": (960, 330),
}
HOLDING = ("taking", "active", "yielding")
BENDS: dict[Change, float] = {
    ("active", "standby"): 50,
    ("fault", "taking"): 60,
    ("yielding", "standby"): 24,
}
"""How far an arrow leaves the straight line, to its left; else only where there is a way back."""
SHARES: dict[Change, float] = {("suspect", "fault"): 0.6, ("fault", "suspect"): 0.4}
"""Where on its way an arrow has its number, when that is not the middle."""
APART = 16
LEGEND_TOP, LINE_HEIGHT, LINE_LENGTH = 400, 20, 115


def changes(transcripts: Iterable[str]) -> dict[Change, Counter[str]]:
    """Every change of a role, with its reasons in words that name nobody."""
    found: dict[Change, Counter[str]] = {}
    for transcript in transcripts:
        for before, after, reason in _CHANGE.findall(transcript):
            for pattern, plain in _PLAIN:
                reason = re.sub(pattern, plain, reason)
            found.setdefault((before, after), Counter())[reason] += 1
    return dict(sorted(found.items(), key=lambda item: _order(item[0])))


def _order(change: Change) -> tuple[int, int]:
    roles = ["standby", "suspect", "taking", "active", "yielding", "fault", "held"]
    return roles.index(change[0]), roles.index(change[1])


def picture(found: Mapping[Change, Counter[str]]) -> str:
    """The drawing as SVG: boxes, numbered arrows, and below what the numbers mean."""
    legend = _legend(found)
    height = LEGEND_TOP + LINE_HEIGHT * len(legend)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'font-family="sans-serif" font-size="13">'
        ),
        "<title>Roles of a director in a group, and what changes them</title>",
        (
            '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" '
            'markerHeight="8" orient="auto"><path d="M0 0L10 5L0 10z" fill="#345"/></marker></defs>'
        ),
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for number, change in enumerate(found, 1):
        parts += _arrow(change, number, is_two_way=(change[1], change[0]) in found)
    parts += [part for role, place in PLACES.items() for part in _box(role, place)]
    parts += legend
    return "\n".join([*parts, "</svg>", ""])


def _legend(found: Mapping[Change, Counter[str]]) -> list[str]:
    lines = []
    for number, (change, reasons) in enumerate(found.items(), 1):
        head = f"{change[0]} → {change[1]}:"
        words = "; ".join(reason for reason, _ in sorted(reasons.items(), key=_by_count))
        first, *more = textwrap.wrap(words, LINE_LENGTH)
        lines.append(
            f'<tspan font-weight="bold">{number}</tspan> '
            f'<tspan fill="#345">{head}</tspan> {escape(first)}'
        )
        lines += [f'<tspan dx="170">{escape(line)}</tspan>' for line in more]
    tops = itertools.count(LEGEND_TOP, LINE_HEIGHT)
    return [f'<text x="32" y="{y}">{line}</text>' for y, line in zip(tops, lines, strict=False)]


def _by_count(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def _box(role: str, place: Point) -> tuple[str, str]:
    fill = "#cfe8d5" if role in HOLDING else "#e4e9f2"
    x, y = place[0] - BOX_WIDTH / 2, place[1] - BOX_HEIGHT / 2
    return (
        (
            f'<rect x="{x:g}" y="{y:g}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="10" '
            f'fill="{fill}" stroke="#345"/>'
        ),
        (
            f'<text x="{place[0]:g}" y="{place[1] + 5:g}" text-anchor="middle" '
            f'font-size="15" font-weight="bold">{role}</text>'
        ),
    )


def _arrow(change: Change, number: int, *, is_two_way: bool) -> tuple[str, str, str]:
    """A curve from box to box with its number in the middle."""
    start, end = PLACES[change[0]], PLACES[change[1]]
    length = math.dist(start, end)
    left = ((end[1] - start[1]) / length, (start[0] - end[0]) / length)
    bend = 2 * BENDS.get(change, APART if is_two_way else 0)
    knee = (
        (start[0] + end[0]) / 2 + left[0] * bend,
        (start[1] + end[1]) / 2 + left[1] * bend,
    )
    begin, tip = _edge(start, knee), _edge(end, knee)
    middle = _on_curve(begin, knee, tip, SHARES.get(change, 0.5))
    return (
        (
            f'<path d="M{begin[0]:.1f} {begin[1]:.1f}Q{knee[0]:.1f} {knee[1]:.1f} '
            f'{tip[0]:.1f} {tip[1]:.1f}" fill="none" stroke="#345" marker-end="url(#tip)"/>'
        ),
        f'<circle cx="{middle[0]:.1f}" cy="{middle[1]:.1f}" r="10" fill="#fff" stroke="#345"/>',
        (
            f'<text x="{middle[0]:.1f}" y="{middle[1] + 4.5:.1f}" text-anchor="middle" '
            f'font-size="12" font-weight="bold">{number}</text>'
        ),
    )


def _on_curve(begin: Point, knee: Point, tip: Point, share: float) -> Point:
    rest = 1 - share
    x, y = (
        rest * rest * a + 2 * share * rest * b + share * share * c
        for a, b, c in zip(begin, knee, tip, strict=True)
    )
    return x, y


def _edge(center: Point, towards: Point) -> Point:
    """Where the line from the middle of a box to that point leaves the box."""
    dx, dy = towards[0] - center[0], towards[1] - center[1]
    share = min(
        (BOX_WIDTH / 2 + 2) / abs(dx) if dx else math.inf,
        (BOX_HEIGHT / 2 + 2) / abs(dy) if dy else math.inf,
    )
    return center[0] + dx * share, center[1] + dy * share


def made() -> str:
    """The picture as the scenarios of now make it."""
    return picture(changes(file.read_text() for file in sorted(SCENARIOS.glob("*.txt"))))
