"""Puts the cases of keepalived's tables into whole configurations and asks keepalived of them.

A case is one or more lines of one kind of block. It gets the least surroundings that keepalived has
nothing to say of; many cases share a sheet (one configuration), each in surroundings of its own, so
that a message's line, or the name in it, tells which case it is about.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from string import Template

import oracle

HEAD = """\
global_defs {
enable_script_security
script_user root
}
vrrp_script scr {
script /usr/bin/true
}
track_file fil {
file /tmp/fil
}
vrrp_track_process pro {
process sshd
}
bfd_instance ses {
neighbor_ip 203.0.113.99
}
vrrp_instance V {
interface eth0
virtual_router_id 1
virtual_ipaddress {
203.0.113.1
}
}
track_group TG {
group {
V
}
}
"""

_INSTANCE = """\
vrrp_instance V$n {
interface e$bank
virtual_router_id $id
>
virtual_ipaddress {
192.0.2.1
}
}
"""
_IN_INSTANCE = _INSTANCE.replace(">", "$block {\n>\n}")
_SERVICE = """\
virtual_server 192.0.2.1 $port {
protocol TCP
lb_algo rr
lb_kind DR
>
real_server 192.0.2.11 $port {
TCP_CHECK {
}
}
}
"""
_REAL = """\
virtual_server 192.0.2.1 $port {
protocol TCP
lb_algo rr
lb_kind DR
real_server 192.0.2.11 $port {
>
}
}
"""
_PAIR = _INSTANCE.replace(">\n", "") + _INSTANCE.replace(">\n", "").replace("V$n", "W$n").replace(
    "e$bank", "f$bank"
)
SURROUNDINGS = {
    "": ">\n",
    "global_defs": "global_defs {\n>\n}\n",
    "global_defs/notification_email": "global_defs {\nnotification_email {\n>\n}\n}\n",
    "track_group": "track_group T$n {\n>\n}\n",
    "track_group/group": "track_group T$n {\ngroup {\n>\n}\n}\n",
    "garp_group": "garp_group {\ngarp_interval 0.1\n>\n}\n",
    "garp_group/interfaces": "garp_group {\ngarp_interval 0.1\ninterfaces {\n>\n}\n}\n",
    "virtual_server_group": "virtual_server_group G$n {\n>\n}\n",
    "track_file": "track_file f$n {\n>\nfile /tmp/f\n}\n",
    "vrrp_track_file": "vrrp_track_file g$n {\n>\nfile /tmp/f\n}\n",
    "bfd_instance": "bfd_instance B$n {\n>\nneighbor_ip 198.51.100.$id\n}\n",
    "SSL": "SSL {\n>\n}\n",
    "vrrp_script": "vrrp_script s$n {\n>\nscript /usr/bin/true\n}\n",
    "vrrp_track_process": "vrrp_track_process p$n {\n>\nprocess sshd\n}\n",
    "vrrp_instance": _INSTANCE,
    "vrrp_instance/virtual_ipaddress": _INSTANCE.replace(">\n", "").replace("192.0.2.1", ">"),
    "vrrp_sync_group": _PAIR + "vrrp_sync_group S$n {\n>\ngroup {\nV$n\nW$n\n}\n}\n",
    "vrrp_sync_group/group": _PAIR + "vrrp_sync_group S$n {\ngroup {\nV$n\nW$n\n>\n}\n}\n",
    "virtual_server": _SERVICE,
    "virtual_server/real_server": _REAL,
}
NEEDED_INSIDE = {
    "MISC_CHECK": "misc_path /usr/bin/true\n",
    "BFD_CHECK": "name ses\n",
    "FILE_CHECK": "track_file fil\n",
    "HTTP_GET": "url {\npath /\n}\n",
    "SSL_GET": "url {\npath /\n}\n",
    "url": "path /\n",
}
ALONE = {
    *("enable_script_security", "script_user", "include_check", "dynamic_interfaces"),
    *("config_save_dir", "net_namespace", "instance", "use_pid_dir", "net_namespace_ipvs"),
    *("default_interface", "vrrp_iptables", "nftables", "lvs_sync_daemon"),
    "lvs_sync_daemon_interface",
}
"""Statements that change how the rest of a configuration is read."""
MOST_ON_A_SHEET = 50
READ_TO_THE_END = {0, 4, 5, 6}


@dataclass(frozen=True, slots=True)
class Question:
    """Lines `text` in a block of the table `path`; `is_alone` when reading may stop there."""

    path: str
    text: str
    is_alone: bool = False

    @property
    def word(self) -> str:
        """The statement's keyword."""
        return self.text.split(maxsplit=1)[0] if self.text.strip() else ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What keepalived said: `inside` of the case's own lines, `around` of its surroundings, `later`
    without a line of something with its name. What it says later depends on the whole sheet: the
    first fatal thing ends it. `exit` is that of the sheet."""

    question: Question
    inside: tuple[str, ...]
    around: tuple[str, ...]
    later: tuple[str, ...]
    exit: int | None


def ask(questions: Iterable[Question]) -> Iterator[Answer]:
    """The answers, in the order of the sheets.

    A sheet on which keepalived stops, hangs or crashes tells nothing of what stands behind: its
    questions are asked again, one by one.
    """
    for sheet in sheets(questions):
        answers = list(_answers(sheet))
        if len(sheet) > 1 and answers[0].exit not in READ_TO_THE_END:
            answers = [answer for question in sheet for answer in _answers([question])]
        yield from answers


def surroundings(path: str) -> str:
    """Lines around a case of the table `path`, where the line `>` stands for the case."""
    if path in SURROUNDINGS:
        return SURROUNDINGS[path]
    first, *inner = path.split("/")
    if first == "vrrp_instance":
        return _IN_INSTANCE.replace("$block", inner[0])
    if first != "virtual_server":
        return f"{path} {{\n>\n}}\n"
    text = _REAL
    for name in inner[1:]:
        text = text.replace(">\n", f"{name} {{\n>\n{NEEDED_INSIDE.get(name, '')}}}\n", 1)
        if name != inner[-1]:
            text = text.replace(NEEDED_INSIDE.get(name, "\0"), "")
    return text


def sheets(questions: Iterable[Question]) -> list[list[Question]]:
    """The questions, sheet by sheet: each statement once on a sheet, so that a second one is not
    what is complained of."""
    alone: list[list[Question]] = []
    shared: list[tuple[set[tuple[str, str]], list[Question]]] = []
    for question in questions:
        if question.is_alone or question.word in ALONE:
            alone.append([question])
            continue
        key = (question.path, question.word if "/" not in question.path else question.path)
        for keys, sheet in shared:
            if key not in keys and len(sheet) < MOST_ON_A_SHEET:
                break
        else:
            keys, sheet = set(), []
            shared.append((keys, sheet))
        keys.add(key)
        sheet.append(question)
    return alone + [sheet for _, sheet in shared]


def written(sheet: Sequence[Question]) -> tuple[str, list[tuple[int, int, int, int]]]:
    """The text of a sheet, and of each case the first and last line of its surroundings and of
    itself, from outside in: start, first, last, end."""
    lines = HEAD.split("\n")[:-1]
    spans: list[tuple[int, int, int, int]] = []
    for number, question in enumerate(sheet, start=2):
        start = len(lines) + 1
        around = Template(surroundings(question.path)).substitute(
            n=number, id=number % 250 + 2, bank=number // 250, port=1000 + number
        )
        before, after = around.split(">\n", 1)
        lines += [line for line in before.split("\n")[:-1] if not _is_said(line, question)]
        first = len(lines) + 1
        lines += question.text.split("\n")
        last = len(lines)
        lines += _rest(after.split("\n")[:-1], question)
        spans.append((start, first, last, len(lines)))
    return "\n".join(lines) + "\n", spans


def _answers(sheet: list[Question]) -> Iterator[Answer]:
    text, spans = written(sheet)
    verdict = oracle.verdict(text)
    placed = {message for _, message in verdict.located}
    unplaced = [message for message in verdict.messages if message not in placed]
    for number, (question, (start, first, last, end)) in enumerate(
        zip(sheet, spans, strict=True), start=2
    ):
        inside = [text for line, text in verdict.located if first <= line <= last]
        outside = [
            text
            for line, text in verdict.located
            if start <= line <= end and not first <= line <= last
        ]
        name = re.compile(rf"\b[BGSTVWfgps]{number}\b|:{1000 + number}\b")
        later = [text for text in unplaced if len(sheet) == 1 or name.search(text)]
        yield Answer(question, tuple(inside), tuple(outside), tuple(later), verdict.exit)


def _is_said(line: str, question: Question) -> bool:
    """Whether the case says itself what this line of its surroundings would say."""
    word = line.split(maxsplit=1)[0]
    return word == question.word or {word, question.word} == {"neighbor_ip", "neighbour_ip"}


def _rest(lines: list[str], question: Question) -> list[str]:
    """The lines behind the case, without the statement or block that it has already."""
    kept: list[str] = []
    depth = left_out = 0
    for line in lines:
        if left_out == 0 and depth == 0 and _is_said(line, question):
            left_out = 1
            if not line.endswith("{"):
                left_out = 0
                continue
            continue
        if left_out:
            left_out += line.endswith("{") - (line == "}")
            continue
        depth += line.endswith("{") - (line == "}")
        kept.append(line)
    return kept
