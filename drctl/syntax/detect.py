"""Which dialect a text is written in, judged by its content alone, never by its name."""

from __future__ import annotations

import re

KEEPALIVED = "keepalived"
LVS_CF = "lvs.cf"
DIALECTS = (KEEPALIVED, LVS_CF)

_ASSIGNMENT = re.compile(r"^[ \t]*[a-z_]+[ \t]*=", re.MULTILINE | re.IGNORECASE)
_PIRANHA_WORD = re.compile(
    r"^[ \t]*(?:serial_no|primary(?:_private|_shared)?|backup(?:_active|_private|_shared)?"
    r"|heartbeat(?:_port)?|deadtime|nat_router|nat_nmask|vip_nmask|monitor_links|hard_shutdown"
    r"|syncdaemon|syncd_iface|syncd_id|rsh_command|debug_level|load_monitor|use_regex|reentry"
    r"|quiesce_server|send_program|pmask|reservation_conflict_action)(?![^\s=])",
    re.MULTILINE | re.IGNORECASE,
)
_PIRANHA_BLOCK = re.compile(
    r"^[ \t]*(?:(?:virtual|failover)[ \t]+(?!server\b)\S|virtual[ \t]+server[ \t]+\S+[ \t]*\{"
    r"|server[ \t]+\S+[ \t]*\{)",
    re.MULTILINE | re.IGNORECASE,
)
_KEEPALIVED_BLOCK = re.compile(
    r"^[ \t]*(?:@\S+[ \t]+)?(?:global_defs|vrrp_\w+|virtual_server(?:_group)?|static_\w+"
    r"|real_server"
    r"|bfd_instance|track_\w+|garp_group|virtual_ipaddress(?:_excluded)?|SSL|net_namespace|HTTP_GET"
    r"|SSL_GET|TCP_CHECK|MISC_CHECK|SMTP_CHECK|DNS_CHECK|UDP_CHECK|PING_CHECK|include[rmwba]?)\b"
    r"|^[ \t]*\$[A-Za-z_]\w*[ \t]*=",
    re.MULTILINE,
)

_STEERING = re.compile(r"\$[A-Za-z_{]|(?:^|[{}])[ \t]*(?:@|include)|~(?:SEQ|LST)", re.MULTILINE)

_BEGINNINGS = ((1 << 11, 6), (1 << 16, 1))
"""Characters that speak for the whole file if they speak for one dialect alone, and with so many
votes."""


def detect(text: str) -> str:
    """`keepalived` or `lvs.cf`, whichever the lines speak for; `keepalived` when none speaks."""
    for size, least in _BEGINNINGS:
        votes = _votes(text[:size])
        if len(text) <= size or (min(votes) == 0 and max(votes) >= least):
            break
    else:
        if votes[0] == votes[1]:
            votes = _votes(text)
    keepalived, piranha = votes
    return LVS_CF if piranha > keepalived else KEEPALIVED


def is_undecided(text: str) -> bool:
    """Whether no line speaks for either dialect: an empty file, comments, unknown words."""
    return _votes(text) == (0, 0)


def may_steer(text: str) -> bool:
    """Whether a keepalived.conf may have statements that steer how it is read: includes,
    conditions, definitions, sequences. True for some texts without any; quick where it is false."""
    return _STEERING.search(text) is not None


def _votes(text: str) -> tuple[int, int]:
    """How much of the text is keepalived's and Piranha's; a block counts more than a line."""
    text = text.removeprefix("\ufeff")
    keepalived = 3 * len(_KEEPALIVED_BLOCK.findall(text))
    lines = len(_ASSIGNMENT.findall(text)) + len(_PIRANHA_WORD.findall(text))
    return keepalived, lines + 3 * len(_PIRANHA_BLOCK.findall(text))
