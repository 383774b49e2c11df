"""VRRP advertisements on one interface: who speaks for which virtual router (RFC 5798). Heard only.

Frames come to the MAC of VRRP's multicast group; their sender is a card's own MAC, or that of the
virtual router.
"""

from __future__ import annotations

from drctl.adapters.packet import PacketSocket, frame_filter

_VRRP = 112
_ROUTER_AT = {False: 35, True: 55}
"""Where the virtual router's number stands in a frame, by family."""
_GROUP = {False: bytes.fromhex("01005e000012"), True: bytes.fromhex("333300000012")}
_FILTERS = {
    False: (0x0800, frame_filter([(1, 14, (0x45,)), (1, 23, (_VRRP,))], 42, 64)),
    True: (0x86DD, frame_filter([(1, 20, (_VRRP,))], 62, 64)),
}


class VrrpSocket:
    """Advertisements of one family on one interface; those that are sent to one host alone
    (unicast_peer) are heard by that one only."""

    def __init__(self, interface: str, *, is_v6: bool) -> None:
        ethertype, program = _FILTERS[is_v6]
        self._at = _ROUTER_AT[is_v6]
        self._packets = PacketSocket(interface, ethertype, program)
        try:
            self._packets.join(_GROUP[is_v6])
        except BaseException:
            self._packets.close()
            raise

    def fileno(self) -> int:
        """Readable when there are some."""
        return self._packets.fileno()

    def close(self) -> None:
        """Give back the socket."""
        self._packets.close()

    def receive(self) -> set[tuple[str, int]]:
        """Pairs of a sender's MAC and the virtual router's number."""
        frames = self._packets.receive()
        return {(frame[6:12].hex(":"), frame[self._at]) for frame, _ in frames}
