"""Key files of the heartbeat (CURVE, RFC 7748), and nothing about sockets.

A file is text: a line is a word and its value, or a comment that begins with `#`. A key is 40
characters of Z85 (ZeroMQ RFC 32), any of which may be a `#`, so a comment has its own line.

    node lb1
    public rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7
    secret JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6

A public file may name several `public` keys: all are accepted, the first one is tried first.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field

from drctl.errors import DrctlError, FileRefused

LARGEST_FILE_BYTES = 64 * 1024
MOST_KEYS = 8
_Z85 = re.compile(r"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")
_NODE = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9_])?")
_NONE = "0" * 40
"""The key of 32 zero bytes, whose private half everybody knows."""


class KeyRefused(DrctlError):
    """A key file says something else than it must, or is open to others."""

    def __init__(self, path: str, reason: str, line: int = 0) -> None:
        self.path, self.line, self.reason = path, line, reason
        super().__init__(f"{path}:{line}: {reason}" if line else f"{path}: {reason}")


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A node's own pair of keys, in Z85."""

    public: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Keyring:
    """Our own keys, and for each peer the public keys that are accepted from it: the first one is
    tried first when we call it."""

    own: SecretKey
    accepted: dict[str, tuple[str, ...]]

    def node_of(self, public: str) -> str | None:
        """The peer whose key this is."""
        return next((node for node, keys in self.accepted.items() if public in keys), None)


def is_node_name(text: str) -> bool:
    """Whether `text` can name a node: it becomes the name of a file, and a word in messages."""
    return _NODE.fullmatch(text) is not None


def generate() -> SecretKey:
    """A new pair of keys."""
    import zmq

    public, secret = zmq.curve_keypair()
    return SecretKey(public.decode(), secret.decode())


def secret_text(node: str, keys: SecretKey) -> str:
    """What stands in NODE.secret."""
    return (
        f"# drctl: heartbeat key of {node}. Secret: it stays on {node}, readable by root alone.\n"
        f"node {node}\npublic {keys.public}\nsecret {keys.secret}\n"
    )


def public_text(node: str, keys: SecretKey) -> str:
    """What stands in NODE.public."""
    return (
        f"# drctl: public heartbeat key of {node}, for the other directors.\n"
        f"# While {node} changes its key this file has both, the new one in a second line.\n"
        f"node {node}\npublic {keys.public}\n"
    )


def read_secret(path: str, node: str) -> SecretKey:
    """The keys of this node; the file must be its owner's alone."""
    found = _read(path, is_secret=True)
    _check_node(path, found, node)
    secret, line = _one(path, found, "secret")
    import zmq

    public = zmq.curve_public(secret.encode()).decode()
    for given, at in found.get("public", []):
        if given != public:
            raise KeyRefused(path, "the public key does not belong to the secret one", at)
    if public == _NONE:
        raise KeyRefused(path, "the secret key is no key", line)
    return SecretKey(public, secret)


def read_public(path: str, node: str) -> tuple[str, ...]:
    """The accepted public keys of a peer, without repetitions, in order."""
    found = _read(path, is_secret=False)
    _check_node(path, found, node)
    if "secret" in found:
        line = found["secret"][0][1]
        raise KeyRefused(path, "a secret key, which must not leave its node: make new keys", line)
    keys = tuple(dict.fromkeys(key for key, _ in found.get("public", [])))
    if not keys:
        raise KeyRefused(path, "no public key in it")
    if len(keys) > MOST_KEYS:
        raise KeyRefused(path, f"{len(keys)} public keys, at most {MOST_KEYS}")
    return keys


def _check_node(path: str, found: dict[str, list[tuple[str, int]]], node: str) -> None:
    named, line = _one(path, found, "node")
    if named != node:
        raise KeyRefused(
            path, f"node {named}, the configuration says it is the key of {node}", line
        )


def _one(path: str, found: dict[str, list[tuple[str, int]]], word: str) -> tuple[str, int]:
    given = found.get(word, [])
    if not given:
        raise KeyRefused(path, f"no line with {word}")
    if len(given) > 1:
        raise KeyRefused(path, f"a second {word}", given[1][1])
    return given[0]


def _read(path: str, *, is_secret: bool) -> dict[str, list[tuple[str, int]]]:
    """Values and their lines, by word."""
    found: dict[str, list[tuple[str, int]]] = {}
    for number, text in enumerate(_text(path, is_secret=is_secret).splitlines(), 1):
        words = text.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2:
            raise KeyRefused(path, "a line is a word and its value", number)
        word, value = words
        if word == "node":
            if not is_node_name(value):
                raise KeyRefused(path, "no name of a node", number)
        elif word not in {"public", "secret"}:
            raise KeyRefused(path, "a line begins with node, public, secret or #", number)
        elif not _Z85.fullmatch(value) or value == _NONE:
            # never the value: it may be a mistyped secret
            raise KeyRefused(path, f"no {word} key: 40 characters of Z85", number)
        found.setdefault(word, []).append((value, number))
    return found


def _text(path: str, *, is_secret: bool) -> str:
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    try:
        with open(os.open(path, flags), "rb") as file:  # noqa: PTH123 - a descriptor
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise KeyRefused(path, "it is no regular file")
            if is_secret:
                _check_private(path, status)
            raw = file.read(LARGEST_FILE_BYTES + 1)
    except OSError as refused:
        raise FileRefused("read", path, refused) from refused
    if len(raw) > LARGEST_FILE_BYTES:
        raise KeyRefused(path, f"larger than {LARGEST_FILE_BYTES} bytes")
    return raw.decode("latin-1")


def _check_private(path: str, status: os.stat_result) -> None:
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        reason = f"mode {mode:04o}, others can read the secret: chmod 600 it, and make new keys"
        raise KeyRefused(path, reason)
    if status.st_uid not in {0, os.geteuid()}:
        reason = f"it belongs to user {status.st_uid}, who can change it: chown it to root"
        raise KeyRefused(path, reason)
