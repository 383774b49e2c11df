"""Servers on the real servers: they satisfy the configured checks, and tell the lab's client
which host served it."""

from __future__ import annotations

import socket
import threading

from drctl.lab.guest.shell import GuestError, network_of
from drctl.lab.plan import Listener

REQUEST = b"GET /drctl-lab HTTP/1.0\r\n\r\n"
SERVED_BY = b"served by "
_PATIENCE_S = 20.0
_LARGEST_REQUEST = 4096


class Listeners:
    """All servers of one trial."""

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []

    def open(self, host: str, listener: Listener) -> None:
        """Listen on a host's port, on every IPv4 address."""
        with network_of(host):
            server = bound(host, listener, socket.AF_INET)
        self._sockets.append(server)
        serve(server, host, listener)

    def close(self) -> None:
        """Stop listening; threads end with their sockets."""
        for server in self._sockets:
            if server.type == socket.SOCK_STREAM:
                server.shutdown(socket.SHUT_RDWR)
            server.close()


_IP_PKTINFO = 8
_ANY = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}


def bound(host: str, listener: Listener, family: socket.AddressFamily) -> socket.socket:
    """A socket on the port, on every address of the family, in the network this thread is in."""
    kind = socket.SOCK_DGRAM if listener.protocol == "udp" else socket.SOCK_STREAM
    server = socket.socket(family, kind)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if kind == socket.SOCK_DGRAM:
        # the answer must leave from the address that was asked, a VIP or not
        if family == socket.AF_INET6:
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            server.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    try:
        server.bind((_ANY[family], listener.port))
    except OSError as refused:
        server.close()
        raise GuestError(f"{host} port {listener.port}: {refused}") from refused
    if kind == socket.SOCK_STREAM:
        server.listen(128)
    return server


def serve(server: socket.socket, host: str, listener: Listener) -> None:
    """Answer in a thread, until the socket is closed."""
    target = _serve_datagrams if server.type == socket.SOCK_DGRAM else _serve_streams
    threading.Thread(target=target, args=(server, host, listener), daemon=True).start()


def _serve_datagrams(server: socket.socket, host: str, listener: Listener) -> None:
    while True:
        try:
            request, ancillary, _, peer = server.recvmsg(_LARGEST_REQUEST, 256)
        except OSError:
            return  # closed: the trial is over
        answer = _lab_answer(host) if request == REQUEST else listener.answer.encode("latin-1")
        server.sendmsg([answer or b"\0"], _from_same_address(ancillary), 0, peer)


def _from_same_address(
    ancillary: list[tuple[int, int, bytes]],
) -> list[tuple[int, int, bytes]]:
    """in_pktinfo or in6_pktinfo of the answer: no interface, the address that the question was
    sent to."""
    found = []
    for level, kind, content in ancillary:
        if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
            found.append((level, kind, b"\0\0\0\0" + content[8:12] + b"\0\0\0\0"))
        elif level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            found.append((level, kind, content[:16] + b"\0\0\0\0"))
    return found


def _serve_streams(server: socket.socket, host: str, listener: Listener) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return  # closed: the trial is over
        threading.Thread(
            target=_serve_connection, args=(connection, host, listener), daemon=True
        ).start()


def _serve_connection(connection: socket.socket, host: str, listener: Listener) -> None:
    """One connection. The lab's client is kept until it hangs up, so that schedulers that count
    connections have something to count; a check gets its answer and is let go."""
    answer = listener.answer.encode("latin-1")
    with connection:
        connection.settimeout(_PATIENCE_S)
        try:
            if listener.speaks_first:
                connection.sendall(answer)
            request = connection.recv(_LARGEST_REQUEST)
            if request.startswith(REQUEST):
                connection.sendall(_lab_answer(host))
                while connection.recv(_LARGEST_REQUEST):
                    continue
            elif listener.is_smtp:
                while request:
                    is_last = request[:4].upper() == b"QUIT"
                    connection.sendall(b"221 bye\r\n" if is_last else b"250 ok\r\n")
                    request = connection.recv(_LARGEST_REQUEST)
            elif request and not listener.speaks_first:
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            return  # a check that hung up early has seen what it wanted


def _lab_answer(host: str) -> bytes:
    return b"HTTP/1.0 200 OK\r\n\r\n" + SERVED_BY + host.encode() + b"\n"
