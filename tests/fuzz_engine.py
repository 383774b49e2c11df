"""hypothesis as a fuzzer: looks for an input that fails a target, and makes it small."""

from __future__ import annotations

from fuzz_targets import Target, run
from fuzz_texts import texts
from hypothesis import HealthCheck, Phase, given, seed, settings


def find_failure(target: Target, start: int, examples: int) -> tuple[bytes, Exception] | None:
    """The smallest failing input among `examples` that `start` decides on, and how it fails."""
    last: list[tuple[bytes, Exception]] = []

    @seed(start)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
        report_multiple_bugs=False,
    )
    @given(texts(target.dialect))
    def check(raw: bytes) -> None:
        try:
            run(target, raw)
        except Exception as failure:
            last[:] = [(raw, failure)]
            raise

    try:
        check()
    except Exception:
        if not last:
            raise
    return last[0] if last else None
