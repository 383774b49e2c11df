"""The lvs.cf grammar rule by rule, as lvsconfig.c of Piranha 0.8.6 enforces it."""

from __future__ import annotations

import pytest

from drctl.syntax.pulse import (
    BAD_ARGUMENT,
    BAD_HOST,
    BAD_MASK,
    EMPTY,
    EXTRA,
    MISSING,
    NO_BOOLEAN,
    NO_EQUALS,
    NO_INTEGER,
    NO_LIST,
    QUOTATION,
    UNKNOWN,
    judge,
    refusals,
)

ACCEPTED = {
    # lexical rules
    "tabs and blanks around": "  \t primary\t=  192.0.2.1 \t\n",
    "comment at the start of a line": "# one\n   # two\nservice = lvs\n",
    "anything behind a closing brace": "virtual a {\n} # end of a\n",
    "blank lines": "\n\n   \n\t\nservice = lvs\n",
    "only comments": "# nothing\n",
    "only newlines": "\n\n",
    "no final newline": "service = lvs",
    "quotes without blanks keep inner ones": 'virtual a {\nsend = "a\\"b"\n}\n',
    "blank behind a value with a blank": 'virtual a {\nsend = "GET / HTTP" \n}\n',
    "single quotes": "virtual a {\nsend = 'GET / HTTP'\n}\n",
    "hash inside quotes": 'virtual a {\nexpect = "#1 ok"\n}\n',
    "whole file with CRLF": "service = lvs\r\nbogus\r\n",
    "hexadecimal": "keepalive = 0x50\n",
    "octal": "keepalive = 010\n",
    "empty number": 'keepalive = ""\n',
    "negative": "keepalive = -6\n",
    "port out of range": "virtual a {\nport = 70000\n}\n",
    "port -1": "virtual a {\nport = -1\n}\n",
    "short address": "primary = 10.9\n",
    "octal address": "primary = 010.0.0.9\n",
    "host name": "primary = lb1.example.net\n",
    # blocks
    "name with blanks in quotes": 'virtual "web and mail" {\n}\n',
    "same name twice": "virtual a {\n}\nvirtual a {\n}\n",
    "block left open": "virtual a {\nactive = 1\n",
    "both kinds of block": "virtual a {\n}\nfailover b {\n}\n",
    "keyword twice": "service = lvs\nservice = fos\n",
    "server keywords": "virtual a {\nserver b {\naddress = 192.0.2.1\nactive = 1\nweight = 2\n"
    "port = 80\n}\n}\n",
    # keywords
    "backup 0.0.0.0": "backup = 0.0.0.0\n",
    "heartbeat port by name": "heartbeat_port = http\n",
    "monitor_links of any size": "monitor_links = 17\n",
    "nat router": "nat_router = 192.0.2.1 eth1:1\nnat_nmask = 255.255.255.0\n",
    "since 0.8.6": "hard_shutdown = 0\nsyncdaemon = 1\nsyncd_iface = eth1\nsyncd_id = 300\n"
    "tcp_timeout = 1\ntcpfin_timeout = 1\nudp_timeout = 1\n",
    "historical words still read": "sync = 1\nheartbeat = 0\nserial_no = 7\ndebug_level = ANY\n"
    "rsh_command = ssh\nipvsadm = /sbin/ipvsadm\nprimary_shared = /dev/sda\n"
    "reservation_conflict_action = preempt\n",
    "commands": 'active_cmd = "/bin/a b c"\ninactive_cmd = /bin/d\n',
    "mask 24": "virtual a {\nvip_nmask = 24\n}\n",
    "mask unused": "virtual a {\nvip_nmask = 0.0.0.0\n}\n",
    "bad pmask is ignored": "virtual a {\npmask = nonsense\n}\n",
    "tcp service name": "virtual a {\nport = https\n}\n",
    "lists": "virtual a {\ndirs = [ /a /b ]\n}\n",
    "failover keywords": 'failover a {\nstart_cmd = "/bin/a"\nstop_cmd = "/bin/b"\nport = 80\n}\n',
}  # fmt: skip


@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED)
def test_text_pulse_takes_is_accepted(text: str) -> None:
    verdict = judge(text)
    assert (verdict.accepts, verdict.line, verdict.message) == (True, None, None)


REJECTED = {
    # lexical rules
    "empty file": ("", 0, EMPTY),
    "two statements on a line": ("service = lvs keepalive = 6\n", 1, EXTRA),
    "no blanks around equals": ("keepalive=6\n", 1, UNKNOWN),
    "no blank behind equals": ("keepalive =6\n", 1, NO_EQUALS),
    "no equals": ("service lvs\n", 1, NO_EQUALS),
    "trailing comment": ("service = lvs # which\n", 1, EXTRA),
    "slashes": ("// comment\n", 1, UNKNOWN),
    "semicolon": ("; comment\n", 1, UNKNOWN),
    "keyword in capitals": ("Service = lvs\n", 1, UNKNOWN),
    "enumeration in capitals": ("network = NAT\n", 1, BAD_ARGUMENT),
    "scheduler in capitals": ("virtual a {\nscheduler = WLC\n}\n", 2, BAD_ARGUMENT),
    "protocol in capitals": ("virtual a {\nprotocol = TCP\n}\n", 2, BAD_ARGUMENT),
    "byte-order mark": ("\ufeffservice = lvs\n", 1, UNKNOWN),
    "send at top level": ('send = "a"\n', 1, UNKNOWN),
    "inner quote with blanks": ('virtual a {\nsend = "GET /a\\"b HTTP"\n}\n', 2, EXTRA),
    "blank behind a quoted value without one": ('virtual a {\nexpect = "OK" \n}\n', 2, QUOTATION),
    "one CRLF line": ("service = lvs\nkeepalive = 6\r\ndeadtime = 18\n", 1, EXTRA),
    "octal 08": ("keepalive = 08\n", 1, NO_INTEGER),
    "decimal": ("keepalive = 1.5\n", 1, NO_INTEGER),
    "boolean 2": ("backup_active = 2\n", 1, NO_BOOLEAN),
    "boolean word": ("backup_active = yes\n", 1, NO_INTEGER),
    "address with length": ("primary = 192.0.2.1/24\n", 1, BAD_ARGUMENT),
    "IPv6 address": ("primary = 2001:db8::1\n", 1, BAD_ARGUMENT),
    # blocks
    "brace glued to the name": ("virtual a{\n}\n", 1, MISSING),
    "brace on the next line": ("virtual a\n{\n}\n", 1, MISSING),
    "virtual server": ("virtual server a {\n}\n", 1, EXTRA),
    "block on one line": ("virtual a { active = 1 }\n", 1, EXTRA),
    "stray closing brace": ("}\n", 1, UNKNOWN),
    "server at top level": ("server a {\n}\n", 1, UNKNOWN),
    "virtual inside a virtual": ("virtual a {\nactive = 1\nvirtual b {\n", 3, UNKNOWN),
    "quote without end behind the first line": (
        'virtual a {\nactive = 1\nsend = "GET /\n}\n', 3, MISSING),
    "quote without end on the first line": ('virtual a {\nsend = "GET /\n}\n', 2, QUOTATION),
    "unknown keyword": ("service = lvs\nbogus = 1\n", 2, UNKNOWN),
    # keywords
    "service of another kind": ("service = web\n", 1, BAD_ARGUMENT),
    "primary 0.0.0.0": ("primary = 0.0.0.0\n", 1, BAD_HOST),
    "primary_private 0.0.0.0": ("primary_private = 0.0.0.0\n", 1, BAD_HOST),
    "nat_router without device": ("nat_router = 192.0.2.1\n", 1, MISSING),
    "address without device": ("virtual a {\naddress = 192.0.2.1\n}\n", 2, MISSING),
    "bad mask": ("nat_nmask = nonsense\n", 1, BAD_MASK),
    "unknown scheduler": ("virtual a {\nscheduler = sed\n}\n", 2, BAD_ARGUMENT),
    "scheduler of before 2000": ("virtual a {\nscheduler = pcc\n}\n", 2, BAD_ARGUMENT),
    "server port by name": ("virtual a {\nserver b {\nport = http\n}\n}\n", 3, NO_INTEGER),
    "server with a mask": ("virtual a {\nserver b {\nnmask = 255.255.255.0\n}\n}\n", 3, UNKNOWN),
    "sorry server by name": ("virtual a {\nsorry_server = web\n}\n", 2, BAD_HOST),
    "list in braces": ("virtual a {\ndirs = { /a }\n}\n", 2, NO_LIST),
    "debug": ("debug = 1\n", 1, UNKNOWN),
    "mode": ("mode = nat\n", 1, UNKNOWN),
    "heartbeat_dev": ("heartbeat_dev = eth0\n", 1, UNKNOWN),
    "log_file": ("log_file = /x\n", 1, UNKNOWN),
    "expect_program": ("virtual a {\nexpect_program = /x\n}\n", 2, UNKNOWN),
    "deadtime in a virtual": ("virtual a {\ndeadtime = 1\n}\n", 2, UNKNOWN),
    "heartbeat in a failover": ("failover a {\nheartbeat = 1\n}\n", 2, UNKNOWN),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line", "message"), REJECTED.values(), ids=REJECTED)
def test_text_pulse_refuses_is_rejected_with_line_and_message(
    text: str, line: int, message: str
) -> None:
    verdict = judge(text)
    assert (verdict.accepts, verdict.line, verdict.message) == (False, line, message)


def test_words_behind_the_ninety_ninth_are_not_looked_at() -> None:
    assert judge("virtual a {\ndirs = [ " + "x " * 95 + "]\n}\n").accepts
    assert not judge("virtual a {\ndirs = [ " + "x " * 120 + "]\n}\n").accepts


def test_host_name_that_does_not_resolve_is_rejected() -> None:
    verdict = judge("primary = lb1.example.net\n", resolve=lambda _name: False)
    assert (verdict.line, verdict.message) == (1, BAD_ARGUMENT)


def test_file_with_carriage_returns_says_which_lines_are_skipped() -> None:
    verdict = judge("service = lvs\r\nbogus\r\nprimary = 192.0.2.1\r\n")
    assert verdict.accepts
    assert [(note.code, note.line, note.source_line) for note in verdict.notes] == [
        ("unread", 2, 1)
    ]


def test_refusals_go_on_behind_the_first_one_and_follow_the_blocks() -> None:
    text = "service = lvs # one\nvirtual web{\nactive = 1 # two\nserver a\n{\nweight=1\n}\n}\nfoo\n"
    assert [(found.line, found.message) for found in refusals(text)] == [
        (1, EXTRA),
        (2, MISSING),
        (3, EXTRA),
        (4, MISSING),
        (5, UNKNOWN),
        (6, UNKNOWN),
        (9, UNKNOWN),
    ]


def test_refusals_of_an_accepted_text_are_none() -> None:
    assert refusals(ACCEPTED["server keywords"]) == ()


def test_refusals_look_past_carriage_returns() -> None:
    found = refusals("service = lvs\r\nbogus = 1\r\nkeepalive = 6\r\n")
    assert [(one.line, one.message) for one in found] == [(2, UNKNOWN)]


def test_lines_that_end_with_carriage_returns_alone_are_lines_of_pulse_too() -> None:
    text = "service = lvs\rvirtual a {\r  bogus = 1\r}\r"
    verdict = judge(text)
    assert (verdict.line, verdict.message, verdict.source_line) == (3, UNKNOWN, 3)
    assert [(one.line, one.message) for one in refusals(text)] == [(3, UNKNOWN)]
