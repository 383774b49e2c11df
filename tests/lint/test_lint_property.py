"""Any text ends in findings: no crash, places inside the text, the same findings twice."""

from __future__ import annotations

import os
import time

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lint_case import SERVICE, diagnostics, instance

from drctl.schema.load import load_dialect

DIALECT = load_dialect("keepalived")
KEYWORDS = sorted(
    {
        word
        for path in DIALECT.blocks
        for word in DIALECT.blocks[path].keywords
        if path != "directive"
    }
)
VALUES = (
    *("{", "}", "\n", "\n", "\n", "5", "-1", "255", "0.5", "192.0.2.1", "192.0.2.1/24", "fe80::1"),
    *(
        "eth0",
        "V1",
        "MASTER",
        "weight",
        "dev",
        "fwmark",
        "group",
        "inet",
        '"',
        '""',
        "#",
        "!",
        "on",
    ),
    *(
        "$A",
        "${A}",
        "$A=5",
        "@x",
        "~SEQ(a,1,3)",
        "include x",
        "\\",
        "\u00a0",
        "\x00",
        "{}",
        "track_group",
    ),
)
MANY = 2000 if os.environ.get("DRCTL_FULL") == "1" else 200

soup = st.lists(st.one_of(st.sampled_from(KEYWORDS), st.sampled_from(VALUES)), max_size=60).map(
    " ".join
)


def blocks(inside: str) -> str:
    return instance(inside) + SERVICE.replace("@rs", inside).replace("@", inside)


@example("virtual_server \x00 BFD_CHECK")
@example("\r0")
@example("virtual_server_group { group BFD_CHECK")
@settings(max_examples=MANY, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(soup, soup.map(blocks), st.text(max_size=200)))
def test_any_text_ends_in_findings_inside_it(text: str) -> None:
    found = diagnostics(text)
    # carriage returns end lines where nothing else does
    lines = text.split("\n" if "\n" in text else "\r")
    for one in found:
        place = one.place
        assert 1 <= place.line <= place.end_line <= len(lines)
        assert 1 <= place.column <= len(lines[place.line - 1]) + 1
        assert one.message
    assert found == diagnostics(text)


def seconds(count: int) -> float:
    server = "real_server 192.0.{}.{} 80 {{\nweight {}\nTCP_CHECK {{\nretry {}\n}}\n}}\n"
    servers = "".join(server.format(n // 250, n % 250, n % 7, n % 5) for n in range(count))
    text = SERVICE.replace("@rs", "weight 1").replace("@", servers)
    best = float("inf")
    for _ in range(5):
        start = time.process_time()
        diagnostics(text)
        best = min(best, time.process_time() - start)
    return best


def test_time_grows_with_the_text_only() -> None:
    # four times the text; quadratic growth would be 16
    assert seconds(12000) < 9 * max(seconds(3000), 0.02)
