"""Judges the words behind a keyword, or of a line in a value block, by their argument types.

What depends on other statements (names that must be defined above, the family of an instance) or
on the machine (devices, users, host names) is not judged here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from drctl.schema import composite_address as address
from drctl.schema import composite_number as number
from drctl.schema import composite_service as service
from drctl.schema import composite_text as text
from drctl.schema.complaint import Complaint, advice, error
from drctl.schema.composite_route import route
from drctl.schema.composite_rule import rule
from drctl.schema.composite_track import tracked
from drctl.schema.table import Argument, Keyword

TRUE_OR_FALSE = {"on", "true", "yes", "off", "false", "no"}
_REVERSE, _BOTH = ("reverse",), ("reverse", "noreverse")
_NO_ARGUMENTS: tuple[Argument, ...] = ()

LINES: Mapping[str, Callable[[Sequence[str]], list[Complaint]]] = {
    "vip": address.vip,
    "static_vip": lambda words: address.vip(words, is_static=True),
    "peer": address.peer,
    "route": route,
    "static_route": lambda words: route(words, is_static=True),
    "rule": rule,
    "static_rule": lambda words: rule(words, is_static=True),
    "tracked_device": lambda words: tracked(words, is_254_advice=True, senses=_REVERSE),
    "tracked_script": lambda words: tracked(words, is_254_advice=True, senses=_BOTH),
    "tracked_value": lambda words: tracked(words, senses=_BOTH),
    "tracked_process": lambda words: tracked(words, senses=_BOTH),
    "tracked_bfd": lambda words: tracked(words, most=253, senses=_BOTH),
    "service": service.service,
    "service_range": service.service_range,
    "forwarding": service.forwarding,
    "granularity": service.granularity,
    "sync_daemon": service.sync_daemon,
    "lvs_timeouts": service.lvs_timeouts,
    "multicast4": lambda words: service.group_of(words, 4),
    "multicast6": lambda words: service.group_of(words, 6),
    "multicast": lambda words: service.group_of(words, None),
    "vmac": text.vmac,
    "ipvlan": text.ipvlan,
    "init_file": text.init_file,
    "buffers": text.buffers,
    "umask": text.umask,
    "include_check": text.include_check,
    "status_codes": text.status_codes,
    "payload": text.payload,
    "payload_mask": lambda words: text.payload(words, has_wildcards=True),
    "digest": text.digest,
    "dns_name": text.dns_name,
}
"""Types that take the rest of the line."""


def judge(keyword: Keyword, words: Sequence[str], version: tuple[int, ...]) -> list[Complaint]:
    """What `version` would say of `words` behind the keyword; `word` -1 is the keyword itself."""
    arguments = keyword.args_in(version) if keyword.newer else keyword.args
    required = sum(not argument.optional for argument in arguments)
    if len(words) < required:
        if keyword.missing == "ignored":
            return []
        needed = " and ".join(a.name.upper() for a in arguments if not a.optional)
        return [error(-1, f"{keyword.name} needs a value: {keyword.name} {needed}")]
    complaints = judge_words(arguments, words, is_in_instance=keyword.name == "garp_extra_if")
    is_open = bool(arguments) and (arguments[-1].repeated or arguments[-1].type in LINES)
    if keyword.extra == "refused" and len(words) > len(arguments) and not is_open:
        complaints.append(error(len(arguments), f"{words[len(arguments)]} is one word too many"))
    if keyword.longest is not None and words and len(words[0].encode()) > keyword.longest:
        too_long = f"{words[0]} is longer than {keyword.longest} bytes"
        too_long += f": only the first {keyword.longest} count" if keyword.is_cut else ""
        complaints.append(advice(0, too_long) if keyword.is_cut else error(0, too_long))
    if keyword.advised is not None and words and not complaints:
        value = _plain_number(words[0])
        low, high = keyword.advised
        if value is not None and (
            (low is not None and value < low) or (high is not None and value > high)
        ):
            complaints.append(advice(0, f"{words[0]} is changed to a value that makes sense"))
    return complaints


def judge_words(
    arguments: Sequence[Argument], words: Sequence[str], *, is_in_instance: bool = False
) -> list[Complaint]:
    """What is wrong with the words, when there are enough of them."""
    complaints: list[Complaint] = []
    for position, argument in enumerate(arguments):
        rest = words[position:]
        if argument.type == "extra_interval":
            return complaints + text.extra_interval(rest, 0 if is_in_instance else 1)
        if argument.type in LINES:
            if not rest and argument.type != "payload_mask":
                return complaints
            found = LINES[argument.type](rest)
            return complaints + [Complaint(c.word + position, c.text, c.is_advice) for c in found]
        for offset, word in enumerate(rest if argument.repeated else rest[:1]):
            wrong = _word_problem(argument, word)
            if wrong is not None:
                complaints.append(error(position + offset, wrong))
                break
    return complaints


def _word_problem(argument: Argument, word: str) -> str | None:
    kind, low, high = argument.type, argument.minimum, argument.maximum
    if kind == "unsigned":
        return number.unsigned(word, low, high)[1]
    if kind == "integer":
        return number.integer(word, low, high)[1]
    if kind in {"decimal3", "decimal6"}:
        return number.decimal(word, int(kind[-1]), low, high)[1]
    if kind == "port":
        return number.unsigned(word, 1, 65535)[1]
    if kind == "port_or_all":
        return service.port_or_all(word)
    if kind == "boolean" and word not in TRUE_OR_FALSE:
        return f"{word} is not one of {', '.join(sorted(TRUE_OR_FALSE))}"
    if kind == "enum" and word not in argument.values:
        return f"{word} is not one of {', '.join(argument.values)}"
    if kind == "enum_any_case" and word.upper() not in argument.values:
        return f"{word} is not one of {', '.join(argument.values)}"
    if kind == "address" and address.family(address.cut_address(word)) is None:
        return f"{word} is no address"
    if kind in {"device", "link"} and len(word.encode()) > address.LONGEST_NAME:
        return f"{word} is longer than {address.LONGEST_NAME} bytes"
    return None


def _plain_number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None
