"""Command lines of drctl-check, the check program that is installed on the directors.

keepalived runs a command without a shell, reads a line of at most 1023 bytes, and gives `"`, `'`,
`\\`, `#`, `!`, `{`, `}` and `${…}` a meaning of its own. So every byte of a value outside
`A-Z a-z 0-9 _ - . / : , + =` is written as `%XX`, which needs no quoting in a shell either.
"""

from __future__ import annotations

from dataclasses import dataclass

from drctl.errors import UnsafeValue
from drctl.render.posix_regex import BadRegex, to_python

CHECK_PATH = "/usr/libexec/drctl/drctl-check"
LONGEST_COMMAND_BYTES = 960
"""A line of keepalived.conf ends at 1023 bytes (2.2.7); keyword and indentation need some."""

_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:,+=")
_PULSE_ESCAPES = {"\\": "\\", "r": "\r", "n": "\n", "t": "\t", "'": "'", '"': '"'}


class CommandTooLong(UnsafeValue):
    """A check's texts are longer than a line of keepalived.conf can hold."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(
            f"the command of this check has {size_bytes} bytes, and a line of keepalived.conf "
            f"holds {LONGEST_COMMAND_BYTES}: shorten send or expect"
        )


@dataclass(frozen=True, slots=True)
class BadEscape:
    """A backslash that nanny does not know; nanny looped for ever at it. `escape` is the backslash
    with the character after it, if there is one."""

    escape: str


def pulse_unescape(text: str) -> bytes | BadEscape:
    r"""What nanny sends or expects for the `send` or `expect` of an lvs.cf.

    `\\ \r \n \t \' \"` are translated; a text of one byte never is (nanny 0.8.6, convert_str).
    """
    if len(text.encode()) <= 1:
        return text.encode()
    found: list[str] = []
    characters = iter(text)
    for character in characters:
        if character != "\\":
            found.append(character)
            continue
        escaped = next(characters, "")
        if escaped not in _PULSE_ESCAPES:
            return BadEscape(character + escaped)
        found.append(_PULSE_ESCAPES[escaped])
    return "".join(found).encode()


def regex_problem(expect: bytes) -> str | None:
    """Why `expect` is no POSIX extended regular expression that the check program could match."""
    found = to_python(expect)
    return found.problem if isinstance(found, BadRegex) else None


def encode(value: bytes) -> str:
    """`value` as (part of) one word that keepalived and a shell leave alone."""
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in value)


def send_expect(
    address: str,
    port: int,
    *,
    send: bytes | None,
    expect: bytes | None,
    is_udp: bool,
    uses_regex: bool,
    timeout_s: int,
    is_strict: bool,
    reentry: int,
    service: str = "",
) -> str:
    """The command that connects, sends and compares. With `uses_regex`, `expect` must have no
    `regex_problem`. `service` tells apart checks that are otherwise equal; their counts of good
    answers (`reentry`) are then separate.

    Raises CommandTooLong.
    """
    words = [CHECK_PATH, "udp" if is_udp else "tcp", encode(address.encode()), str(port)]
    if send is not None:
        words.append(f"--send={encode(send)}")
    if expect is not None and uses_regex:
        pattern = to_python(expect)
        assert not isinstance(pattern, BadRegex), "the caller asked regex_problem"
        words.append(f"--regex={encode(pattern)}")
    elif expect is not None:
        words.append(f"--expect={encode(expect)}")
    words += _common(timeout_s, reentry, service, is_strict=is_strict)
    return _command(words)


def program(
    address: str,
    port: int,
    *,
    command: str,
    expect: bytes | None,
    timeout_s: int,
    is_strict: bool,
    reentry: int,
    service: str = "",
) -> str:
    """The command that runs a `send_program` and compares its output with `expect`; without one
    its exit status decides. nanny split the program's words at blanks and knew no quotes; `%h` and
    `%p` stay as they are where they are whole words.

    Raises CommandTooLong.
    """
    words = [CHECK_PATH, "program", encode(address.encode()), str(port)]
    if expect is not None:
        words.append(f"--expect={encode(expect)}")
    words += [*_common(timeout_s, reentry, service, is_strict=is_strict), "--"]
    words += [
        word if word in {"%h", "%p"} else encode(word.encode())
        for word in command.split(" ")
        if word
    ]
    return _command(words)


def _common(timeout_s: int, reentry: int, service: str, *, is_strict: bool) -> list[str]:
    words = [f"--timeout={timeout_s}"]
    if reentry > 1:
        words.append(f"--reentry={reentry}")
        if service:
            words.append(f"--service={encode(service.encode())}")
    if is_strict:
        words.append("--strict")
    return words


def _command(words: list[str]) -> str:
    command = " ".join(words)
    if len(command) > LONGEST_COMMAND_BYTES:
        raise CommandTooLong(len(command))
    return command
