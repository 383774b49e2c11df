"""POSIX extended regular expressions: the translation against the C library's own matcher."""

from __future__ import annotations

import ctypes
import re
from functools import lru_cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from drctl.render.posix_regex import BadRegex, to_python

REG_EXTENDED = 1
SIZE_OF_REGEX_T = 1024
NOT_CARRIED_OVER = re.compile(
    "back reference|repeats an anchor|collating element|nested deeper|interval without a number"
)


@lru_cache(maxsize=1)
def c_library() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def c_matches(pattern: bytes, text: bytes) -> bool | None:
    """What regcomp and regexec say; None when the pattern is refused. This process has the C
    locale for them: Python sets LC_CTYPE only, so the locale is set around the calls."""
    library = c_library()
    library.setlocale.restype = ctypes.c_char_p
    before = library.setlocale(0, None)
    library.setlocale(0, b"C")
    compiled = ctypes.create_string_buffer(SIZE_OF_REGEX_T)
    try:
        if library.regcomp(compiled, pattern, REG_EXTENDED) != 0:
            return None
        found = bool(library.regexec(compiled, text, 0, None, 0) == 0)
        library.regfree(compiled)
    finally:
        library.setlocale(0, before)
    return found


def python_matches(pattern: bytes, text: bytes) -> bool | None:
    translated = to_python(pattern)
    if isinstance(translated, BadRegex):
        return None
    return re.search(translated, text, re.DOTALL) is not None


PIECES = st.sampled_from(
    [b"a", b"b", b"ab", b".", b"*", b"+", b"?", b"|", b"(", b")", b"^", b"$", b"[", b"]", b"[ab]",
     b"[^a]", b"[a-c]", b"[]a]", b"[^]a]", b"[a-]", b"[-a]", b"[[:alpha:]]", b"[[:space:]x]",
     b"[^[:digit:]]", b"[[:word:]]", b"[[.a.]]", b"[[=b=]]", b"[a\\]", b"-", b"1", b"_", b" ",
     b"\n", b"{", b"}", b"{2}", b"{1,2}", b"{0,1}", b"{,2}", b"{2,}", b"{2,1}", b"{a", b"\\",
     b"\\.", b"\\*", b"\\w", b"\\W", b"\\s", b"\\S", b"\\b", b"\\<", b"\\>", b"\\`", b"\\'",
     b"\\1",     b"\\a", b"\\{", b"(a|b)", b"(a", b"b)", b"\xff", b"[\x80-\xff]", b"\\n"]
)  # fmt: skip
TEXTS = st.lists(
    st.sampled_from([b"a", b"b", b"c", b"ab", b"-", b"1", b"_", b" ", b"\n", b"{", b"}", b"]",
                     b"\\", b".", b"*", b"\xff", b"\x80", b"n", b")"]),
    max_size=7,
).map(b"".join)  # fmt: skip


@settings(max_examples=3000, deadline=None)
@given(st.lists(PIECES, max_size=6).map(b"".join), TEXTS)
@example(b"a+?b", b"b")
@example(b"(a|b)**", b"")
@example(b"a|*b", b"b")
@example(b"()", b"")
@example(b"a||b", b"")
@example(b"a)", b"a)")
def test_translation_matches_what_the_c_library_matches(pattern: bytes, text: bytes) -> None:
    mine, theirs = python_matches(pattern, text), c_matches(pattern, text)
    if mine is None and theirs is not None:
        refused = to_python(pattern)
        assert isinstance(refused, BadRegex)
        assert NOT_CARRIED_OVER.search(refused.problem), (refused, theirs)
    else:
        assert mine == theirs, (to_python(pattern), mine, theirs)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (b"HTTP/1[.][01] 200", b"HTTP/1[.][01] 200"),
        (b"^OK$", b"\\AOK\\Z"),
        (b"(a|b)+", b"(?:a|b)+"),
        (b"[[:digit:]]{3}", b"[0-9]{3}"),
        (b"\r\n", b"\\x0d\\x0a"),
    ],
)
def test_translation_stays_readable(pattern: bytes, expected: bytes) -> None:
    assert to_python(pattern) == expected


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        (b"(OK", "a ( without its )"),
        (b"[OK", "a [ without its ]"),
        (b"OK\\", "a backslash at its end"),
        (b"*OK", "nothing to repeat before *"),
        (b"a{x}", "a { begins no interval"),
        (b"a{2,1}", "an interval that ends before it begins"),
        (b"a{40000}", "an interval above 32767"),
        (b"[z-a]", "a range that ends before it begins"),
        (b"[[:word:]]", "an unknown class [:word:]"),
        (b"(a)\\1", "a back reference \\1"),
        (b"a\0", "it holds a NUL byte"),
        (b"(" * 60 + b")" * 60, "groups nested deeper than 50"),
    ],
)
def test_what_cannot_be_said_is_named(pattern: bytes, problem: str) -> None:
    assert to_python(pattern) == BadRegex(problem)
