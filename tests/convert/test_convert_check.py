"""nanny's checks in keepalived's terms."""

from __future__ import annotations

import pytest
from convert_case import GLOBAL, SERVICE, changed, converted, director_file, entry, without

from drctl.convert.ledger import Verdict
from drctl.render.checkarg import CHECK_PATH


def _checked(*lines: str, port: int = 80, protocol: str = "tcp", timeout: int = 6) -> str:
    """The service with other statements about its check."""
    text = without("send", without("expect", without("reentry")))
    text = changed("port = 80", f"port = {port}", text)
    text = changed("protocol = tcp", f"protocol = {protocol}", text)
    text = changed("timeout = 6", f"timeout = {timeout}", text)
    block = "".join(f"    {line}\n" for line in ("reentry = 1", *lines))
    return changed("    server web1", block + "    server web1", text)


def test_any_status_was_good_and_one_failure_removes() -> None:
    conversion = converted()
    config = director_file(conversion)
    assert "status_code 100-599" in config
    assert "http_protocol 1.0" in config
    assert "path /\n" in config
    assert "retry 0" in config
    assert "delay_loop 6\n" in config
    assert "connect_timeout 6\n" in config
    assert entry(conversion, "expect").verdict is Verdict.EXACT
    assert entry(conversion, "send").verdict is Verdict.APPROXIMATED


def test_any_status_strictly_is_200_to_399() -> None:
    conversion = converted(checks="strict")
    assert "status_code 200-399" in director_file(conversion)
    assert entry(conversion, "expect").verdict is Verdict.REPAIRED


def test_exact_checks_ask_with_the_programs_texts() -> None:
    conversion = converted(changed("reentry = 6", "reentry = 180"), checks="exact")
    config = director_file(conversion)
    assert f"{CHECK_PATH} tcp 192.0.2.21 80 --send=GET%20/%20HTTP/1.0%0D%0A%0D%0A" in config
    assert "--expect=HTTP --timeout=6 --reentry=30" in config
    assert entry(conversion, "send").verdict is Verdict.EXACT
    assert entry(conversion, "reentry").verdict is Verdict.EXACT


def test_status_in_expect_is_the_status_wanted() -> None:
    conversion = converted(changed('expect = "HTTP"', 'expect = "HTTP/1.1 200 OK"'))
    assert "status_code 200\n" in director_file(conversion)
    assert entry(conversion, "expect").verdict is Verdict.APPROXIMATED


def test_nothing_on_port_80_asks_for_the_root() -> None:
    conversion = converted(_checked())
    assert "status_code 100-599" in director_file(conversion)
    assert any("port 80 without" in choice.what for choice in conversion.report.choices)


def test_nothing_on_another_port_connects() -> None:
    config = director_file(converted(_checked(port=3306)))
    assert "TCP_CHECK" in config
    assert CHECK_PATH not in config


def test_send_without_expect_connects() -> None:
    conversion = converted(_checked('send = "QUIT\\r\\n"', port=110))
    assert "TCP_CHECK" in director_file(conversion)
    assert entry(conversion, "send").verdict is Verdict.APPROXIMATED


def test_text_that_keepalived_cannot_compare_is_asked_by_the_program() -> None:
    conversion = converted(_checked('send = "PING\\r\\n"', 'expect = "+PONG"', port=6379))
    assert f"{CHECK_PATH} tcp 192.0.2.21 6379 --send=PING%0D%0A --expect=+PONG" in director_file(
        conversion
    )
    assert entry(conversion, "expect").verdict is Verdict.EXACT


def test_regex_is_asked_by_the_program() -> None:
    text = _checked('send = "GET / HTTP/1.0\\r\\n\\r\\n"', 'expect = "[Ww]elcome"', "use_regex = 1")
    conversion = converted(text)
    assert "--regex=%5BWw%5Delcome" in director_file(conversion)
    assert entry(conversion, "use_regex").verdict is Verdict.EXACT


def test_bad_escape_leaves_the_connection() -> None:
    conversion = converted(_checked('expect = "2\\d\\d"', port=21))
    assert "TCP_CHECK" in director_file(conversion)
    found = entry(conversion, "expect")
    assert (found.verdict, "looped for ever" in found.why) == (Verdict.REPAIRED, True)


def test_bad_regex_leaves_the_connection() -> None:
    conversion = converted(_checked('expect = "([a"', "use_regex = 1", port=21))
    assert "TCP_CHECK" in director_file(conversion)
    assert entry(conversion, "expect").verdict is Verdict.REPAIRED


def test_plain_request_on_a_tls_port_connects() -> None:
    text = _checked('send = "GET / HTTP/1.0\\r\\n\\r\\n"', 'expect = "HTTP"', port=443)
    conversion = converted(text)
    assert "TCP_CHECK" in director_file(conversion)
    assert "answers garbage" in entry(conversion, "send").why


def test_greeting_220_on_port_25_is_smtp_check() -> None:
    assert "SMTP_CHECK" in director_file(converted(_checked('expect = "220"', port=25)))


def test_program_that_failed_open_now_means_down() -> None:
    conversion = converted(_checked('send_program = "/etc/ha/check %h"', 'expect = "OK"'))
    config = director_file(conversion)
    assert f"{CHECK_PATH} program 192.0.2.21 80 --expect=OK" in config
    assert "--strict -- /etc/ha/check %h" in config
    assert entry(conversion, "send_program").verdict is Verdict.REPAIRED


def test_program_exactly_still_fails_open() -> None:
    text = _checked('send_program = "/etc/ha/check %h"', 'expect = "OK"')
    conversion = converted(text, checks="exact")
    assert "--strict" not in director_file(conversion)
    assert entry(conversion, "send_program").verdict is Verdict.EXACT


@pytest.mark.parametrize(
    ("program", "told"),
    [("/bin/check", "not told"), ("/bin/check http://%h/", "whole words only")],
)
def test_program_that_does_not_know_its_server_is_told(program: str, told: str) -> None:
    conversion = converted(_checked(f'send_program = "{program}"', 'expect = "OK"'))
    assert told in entry(conversion, "send_program").why


def test_udp_without_expect_is_repaired() -> None:
    conversion = converted(_checked(port=53, protocol="udp"))
    assert f"{CHECK_PATH} udp 192.0.2.21 53" in director_file(conversion)
    found = entry(conversion, "protocol")
    assert (found.verdict, "crashes" in found.why) == (Verdict.REPAIRED, True)


def test_empty_expect_still_wants_something_said() -> None:
    conversion = converted(_checked('send = ""', 'expect = ""', port=3306))
    assert "--expect= " in director_file(conversion)
    assert "say something" in entry(conversion, "expect").why


def test_timeout_0_becomes_nannys_default() -> None:
    conversion = converted(changed("timeout = 6", "timeout = 0"))
    assert "delay_loop 10\n" in director_file(conversion)
    assert entry(conversion, "timeout").verdict is Verdict.REPAIRED


def test_load_monitor_is_dropped_with_something_to_do() -> None:
    text = changed("    server web1", "    load_monitor = rup\n    server web1")
    found = entry(converted(text), "load_monitor")
    assert (found.verdict, found.is_loss, bool(found.todo)) == (Verdict.DROPPED, True, True)


def test_text_that_is_too_long_for_a_line_leaves_the_connection() -> None:
    conversion = converted(_checked(f'expect = "{"é" * 400}"', port=21))
    assert "TCP_CHECK" in director_file(conversion)
    assert entry(conversion, "expect").verdict is Verdict.APPROXIMATED


def test_reentry_that_a_native_check_forgets_is_told() -> None:
    found = entry(converted(changed("reentry = 6", "reentry = 180")), "reentry")
    assert (found.verdict, "30 good answers" in found.why) == (Verdict.APPROXIMATED, True)


def test_missing_reentry_is_a_choice() -> None:
    conversion = converted(GLOBAL + without("reentry", SERVICE))
    assert any("return of a failed server" in c.what for c in conversion.report.choices)


def test_text_beside_one_that_cannot_be_used_is_not_exact() -> None:
    for text, statement in (
        (_checked('send = "a\\.b"', 'expect = "ok"', port=21), "expect"),
        (_checked('send = "x"', 'expect = "a\\.b"', port=21), "send"),
        (_checked('send = "x"', 'expect = "([a"', "use_regex = 1", port=21), "send"),
    ):
        found = entry(converted(text), statement)
        assert (found.verdict, found.is_loss) == (Verdict.APPROXIMATED, True), found


def test_request_with_headers_that_keepalived_does_not_send_is_asked_by_the_program() -> None:
    send = '"GET / HTTP/1.0\\r\\nAuthorization: Basic bW9uOm1vbg==\\r\\n\\r\\n"'
    conversion = converted(_checked(f"send = {send}", 'expect = "HTTP/1.1 200"'))
    config = director_file(conversion)
    assert "HTTP_GET" not in config
    assert "Authorization:%20Basic" in config
    assert entry(conversion, "expect").verdict is Verdict.EXACT


def test_request_that_only_the_program_can_make_strictly_wants_a_good_status() -> None:
    text = _checked('send = "HEAD / HTTP/1.0\\r\\n\\r\\n"', 'expect = "HTTP"')
    conversion = converted(text, checks="strict")
    assert "--regex=%5CAHTTP/1%5B.%5D%5B01%5D%20%5B23%5D" in director_file(conversion)
    assert entry(conversion, "expect").verdict is Verdict.REPAIRED
    assert "--expect=HTTP " in director_file(converted(text))


def test_answer_that_is_no_status_is_compared_strictly_as_it_stands() -> None:
    text = _checked('send = "HEAD / HTTP/1.0\\r\\n\\r\\n"', 'expect = "HTTP/1.1 204"')
    assert "--expect=HTTP/1.1%20204" in director_file(converted(text, checks="strict"))
