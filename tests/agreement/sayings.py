"""What keepalived says after reading, without a line, and which statements cause it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from agreement.where import Place, Statement, named_blocks

_INSTANCE = r"\((?P<instance>.*?)\):? .*"
_GROUP = r"[Ss]ync group (?P<group>\S+?),? .*"
_SERVICE = r"(?:Virtual server|virtual server|VS) (?P<service>\[.*?\](?::\w+)+|FWM \d+).*"
_BLOCKS = {
    "instance": "vrrp_instance",
    "group": "vrrp_sync_group",
    "service": "virtual_server",
    "script": "vrrp_script",
}
_STRUCTURE = frozenset(f"DR20{digit}" for digit in range(1, 10))
_LEXER = frozenset({"DR101", "DR105", "DR120", "DR121", "DR124", "DR126", "DR128", "DR131"})
_SCRIPTS = "script notify* misc_path quorum_up quorum_down *fifo_script startup_* shutdown_*"


class Saying(NamedTuple):
    """A kind of message: its groups name the block that it speaks of.

    `codes` are of findings that stand for it, `at` the keywords of the statements, or of the blocks
    with the statements, that cause it; `-` is the header of the named block, no word anything in
    it. `*` stands for any letters.
    """

    pattern: re.Pattern[str]
    codes: frozenset[str]
    at: re.Pattern[str] | None


def _saying(pattern: str, codes: str, at: str = "") -> Saying:
    words = "|".join(re.escape(word).replace(r"\*", r"\w*") for word in at.split())
    return Saying(re.compile(pattern), frozenset(codes.split()), re.compile(words) if at else None)


_ID, _VIP = "- virtual_router_id", "- virtual_ipaddress"
_AUTH = "authentication"
_PEERS = "unicast_* check_unicast_src old_unicast_checksum"
_ENDS = (
    _saying(r"No script set for vrrp_script (?P<script>.*) - removing", "DR220", "-"),
    _saying(r"No file set for track_file", "DR220", "track_file vrrp_track_file"),
    _saying(r"track process '.*' process name not specified", "DR220", "vrrp_track_process"),
    _saying(r"Configuration error: BFD instance", "DR220", "bfd_instance"),
    _saying(r"virtual server group .* has no entries", "DR363", "virtual_server_group"),
    _saying(r"garp group \d+ does not have any delay", "DR372", "garp_group"),
    _saying(r"HTTP/SSL_GET checker", "DR220", "HTTP_GET SSL_GET"),
    _saying(r"No script path has been specified for MISC_CHECKER", "DR220", "MISC_CHECK"),
    _saying(r"FILE_CHECK has no track_file", "DR220", "FILE_CHECK"),
    _saying(r"\(.*\) No name has been specified for BFD_CHECKER", "DR220", "BFD_CHECK"),
    _saying(r"UDP_CHECK min_reply length", "DR368", "UDP_CHECK"),
    _saying(r"Checker link local address", "DR366", "*_CHECK *_GET"),
    _saying(r"Address family of virtual server and real server", "DR350", "real_server"),
    _saying(r"Address family of virtual server and sorry server", "DR350", "virtual_server"),
    _saying(_INSTANCE + r"unicast with .* requires vmac_xmit_base", "DR307", "-"),
    _saying(_INSTANCE + r"Cannot use unicast_ttl", "DR308", "-"),
    _saying(r"Warning - sync group (?P<group>\S+) has empty group block", "DR217", "group"),
    _saying(r"(?:instance|group|vrrp_\w+) .*missing", "DR210", "*"),
)
"""Said at the end of a block; without a line where the file ends first."""
SAYINGS = (
    _saying(r"SECURITY VIOLATION", "DR370", _SCRIPTS),
    _saying(r"Disabling track script (?P<script>.+?) (?:since|due)", "DR371 DR380", "script"),
    _saying(r"Non-existent interface", "DR379 DR349 DR211"),
    _saying(_INSTANCE + r"virtual router id must be set", "DR320 DR211", _ID),
    _saying(_INSTANCE + r"Unknown interface!", "DR321 DR304 DR211", "- interface"),
    _saying(_INSTANCE + r"No VIP specified", "DR322 DR323 DR211 DR301", _VIP),
    _saying(_INSTANCE + r"Number of VIPs", "DR324", _VIP),
    _saying(_INSTANCE + r"uthentication.* [Ii]gnoring|AH authentication with IPv6", "DR326", _AUTH),
    _saying(_INSTANCE + r"incompatible with AH", "DR327", f"{_AUTH} state"),
    _saying(_INSTANCE + r"nopreempt (?:is incompatible|will not work)", "DR328", "nopreempt"),
    _saying(
        _INSTANCE + r"preempt.delay (?:is incompatible|will not work)", "DR329", "preempt_delay"
    ),
    _saying(_INSTANCE + r"advertisement interval", "DR330 DR211", "advert_int"),
    _saying(_INSTANCE + r"State MASTER must match", "DR331", "state"),
    _saying(_INSTANCE + r"accept mode for VRRP", "DR331", "accept"),
    _saying(_INSTANCE + r"must be link local", "DR331", "virtual_ipaddress"),
    _saying(_INSTANCE + r"cannot use IPv6 with VRRP version 2", "DR331", "version"),
    _saying(_INSTANCE + r"MAC address with strict mode", "DR331", "use_vmac"),
    _saying(_INSTANCE + r"xmit_base is incompatible", "DR331", "vmac_xmit_base use_vmac"),
    _saying(r"\(.*\) down_timer_adverts is incompatible", "DR331", "*down_timer_adverts"),
    _saying(_INSTANCE + r"(?:[Ss]trict mode|with strict)", "DR331"),
    _saying(_INSTANCE + r"unicast keyword has been specified", "DR332", _PEERS),
    _saying(_INSTANCE + r"multicast destination specified", "DR333", "mcast_dst_ip"),
    _saying(_INSTANCE + r"vrf can only be specified", "DR334", "vrf"),
    _saying(_INSTANCE + r"promote_secondaries is automatically", "DR335", "promote_secondaries"),
    _saying(_INSTANCE + r"vmac_xmit_base is only valid", "DR336", "vmac_xmit_base use_ipvlan"),
    _saying(_INSTANCE + r"ipvlan", "DR337", "use_ipvlan"),
    _saying(_INSTANCE + r"use_vmac(?:_addr)? specified", "DR338", "virtual_ipaddress*"),
    _saying(r".* uses same VMAC", "DR339", "virtual_ipaddress* use_vmac"),
    _saying(_INSTANCE + r"since own interface", "DR340", "track_interface"),
    _saying(r".*track_interface .* is configured on VRRP instance and sync group", "DR348"),
    _saying(_INSTANCE + r"ignoring .*tracked", "DR341", "track_*"),
    _saying(_INSTANCE + r"(?:ignoring weight from|Cannot have weighted)", "DR341"),
    _saying(r"Cannot have weighted", "DR341"),
    _saying(_INSTANCE + r"duplicate VRID conflict", "DR342", "virtual_router_id"),
    _saying(r".* both use VRID", "DR342", "virtual_router_id"),
    _saying(_GROUP + r"no (?:matching )?virtual router", "DR343", "- group"),
    _saying(_GROUP + r"has only 1 virtual router", "DR344", "-"),
    _saying(r".* specified in sync group (?P<group>\S+) doesn't exist", "DR345 DR211", "group"),
    _saying(r".* cannot exist in more than one sync group", "DR346", "group"),
    _saying(_GROUP + r"some member\(s\) as address owner", "DR347", "group"),
    _saying(_SERVICE + r"has no real servers", "DR352", "-"),
    _saying(_SERVICE + r"no (?:protocol|scheduler|forwarding method) set", "DR353", "-"),
    _saying(r"Warning: " + _SERVICE + r"protocol specified for fwmark", "DR354", "protocol"),
    _saying(_SERVICE + r"cannot use ha_suspend", "DR355", "ha_suspend"),
    _saying(_SERVICE + r"one packet scheduling", "DR356", "ops"),
    _saying(_SERVICE + r"zero port only valid", "DR357", "-"),
    _saying(_SERVICE + r"is duplicated - removing", "DR358", "real_server"),
    _saying(
        r"(?:WARNING - )?" + _SERVICE + r"ports don't match", "DR359", "real_server sorry_server"
    ),
    _saying(r".*has port specified", "DR359", "real_server sorry_server"),
    _saying(
        r"Warning - quorum \d+ for (?P<service>\[.*?\](?::\w+)+|FWM \d+) exceeds",
        "DR360",
        "- quorum",
    ),
    _saying(_SERVICE + r"hysteresis", "DR361", "- hysteresis quorum"),
    _saying(r".*inhibit setting differs", "DR362", "sorry_server"),
    _saying(r"There are \d+ missing '}'s", "DR207 DR209 DR206"),
    *_ENDS,
)


def is_covered(
    message: str,
    found: Iterable[tuple[str, Place]],
    statements: Mapping[Place, Sequence[Statement]],
    *,
    is_broken: bool,
) -> bool:
    """Whether one of the findings (code and place) stands for a message, where it belongs. With
    `is_broken` the braces do not tell which block a statement is in."""
    known = [(saying, told) for saying in SAYINGS if (told := saying.pattern.match(message))]
    return any(
        (code in saying.codes or (is_broken and code in _STRUCTURE) or _stands_for(code, saying))
        and any(
            _is_there(one, saying, told.groupdict(), is_broken=is_broken)
            for one in statements.get(place, ())
        )
        for code, place in found
        for saying, told in known
    )


def _stands_for(code: str, saying: Saying) -> bool:
    """Whether a finding of the lexer hides that a value is refused."""
    return code in _LEXER and not saying.codes.isdisjoint({"DR211", "DR210", "DR371"})


def _is_there(
    statement: Statement, saying: Saying, names: Mapping[str, str], *, is_broken: bool
) -> bool:
    for group, keyword in _BLOCKS.items():
        if (
            group in names
            and not is_broken
            and not named_blocks(statement, keyword, {group: names[group]})
        ):
            return False
    if saying.at is None:
        return True
    is_header = any(statement.words[0] == _BLOCKS[group] for group in names)
    if is_header and saying.at.fullmatch("-"):
        return True
    return any(saying.at.fullmatch(words[0]) for words in statement.headers)
