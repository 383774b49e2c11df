"""Lines that name something to track, with a weight."""

from __future__ import annotations

from collections.abc import Sequence

from drctl.schema.complaint import Complaint, advice, error, missing_after
from drctl.schema.composite_number import integer


def tracked(
    words: Sequence[str], *, most: int = 254, is_254_advice: bool = False, senses: Sequence[str]
) -> list[Complaint]:
    """`NAME [weight -MOST..MOST [SENSE]]`; what stands behind is ignored.

    With `is_254_advice` a weight of 254 is reported and becomes 253.
    """
    if len(words) == 1:
        return []
    if words[1] != "weight":
        return [error(1, f"{words[1]} is no option here, only weight is")]
    if len(words) == 2:
        return [missing_after(1, "weight")]
    complaints = []
    value, wrong = integer(words[2], -most, most)
    if value is None:
        complaints.append(error(2, f"weight {wrong}"))
    elif is_254_advice and abs(value) == 254:
        complaints.append(advice(2, f"weight {words[2]} becomes {253 if value > 0 else -253}"))
    if len(words) > 3 and words[3] not in senses:
        complaints.append(error(3, f"{words[3]} is not {' or '.join(senses)}"))
    return complaints
