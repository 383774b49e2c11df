"""A pair of directors on this machine, and what becomes of the VIP when things happen to them.

    python tools/demo_pair.py [CHAPTER...]      switch kill cut carrier hang "kill both"

Everything is in network namespaces of its own, and gone at the end. All figures are what a client
saw that asks for the VIP by ARP every millisecond. Exit code 1 when a promise was broken or a
daemon failed, 2 when this machine cannot have such a pair.
"""

from __future__ import annotations

import sys
import time

from drctl.errors import DrctlError
from drctl.lab.pair.scenario import STEPS, Outcome, Step, play, verdict
from drctl.lab.pair.stage import (
    NAMES,
    SERVER,
    VIP,
    Plan,
    Stage,
    check_possible,
    end_in_order,
    now_ms,
    stage,
)
from drctl.lab.pair.timeline import Change, Follower, lanes

BEFORE_MS, WIDTH_MS, COLUMNS = 60, 10, 72
YOUNG_MS = 40
"""A request that is younger may be answered yet."""
HEAD = "  time   event                                lb1    lb2    VIP unanswered  answered twice"
GREEN, RED, BOLD, DIM, PLAIN = "\033[32m", "\033[31m", "\033[1m", "\033[2m", "\033[m"


class Screen:
    """Prints the table while it happens; colours on a terminal only."""

    def __init__(self, live: Stage) -> None:
        self._live = live
        self._is_terminal = sys.stdout.isatty()
        self._start_ms = self._read_ms = now_ms()
        self._follower = Follower(NAMES)
        print(self.painted(BOLD, HEAD))

    def painted(self, colour: str, text: str) -> str:
        """With a colour on a terminal."""
        return f"{colour}{text}{PLAIN}" if self._is_terminal else text

    def event(self, text: str) -> None:
        """Something is about to happen."""
        self.look()
        self._row(now_ms(), text, self._follower.holder, "")

    def look(self) -> None:
        """Print who answers when that has changed."""
        until_ms = now_ms() - YOUNG_MS
        if until_ms <= self._read_ms:
            return
        since_ms, self._read_ms = self._read_ms, until_ms
        is_first = not self._follower.holder
        for change in self._follower.feed(self._live.client.requests(since_ms, until_ms)):
            if not is_first:
                self._changed(change)
            is_first = False

    def _changed(self, change: Change) -> None:
        figures = f"{change.outage_ms:11.0f} ms {change.twice:15}"
        self._row(change.at_ms, "", change.holder, figures)

    def _row(self, at_ms: float, text: str, holder: str, figures: str) -> None:
        cells = [
            self.painted(GREEN, "holds  ") if name == holder else self.painted(DIM, "-      ")
            for name in NAMES
        ]
        at = f"{(at_ms - self._start_ms) / 1000:6.2f} s"
        event = self.painted(BOLD, f"{text:36}")
        print(f"{at} {event} {''.join(cells)}{figures}".rstrip(), flush=True)

    def verdict(self, outcome: Outcome) -> None:
        """The line below a step."""
        self.look()
        seen, problems = outcome.seen, outcome.problems()
        figures = (
            f"unanswered {seen.outage_ms:.0f} ms (at most {outcome.step.most_ms:.0f}),"
            f" answered twice {seen.twice} of {seen.asked}"
        )
        if outcome.sent:
            figures += f", packets lost {outcome.lost} of {outcome.sent}"
        word = self.painted(RED, "BROKEN") if problems else self.painted(GREEN, "kept")
        print(f"           {word}: {'; '.join([figures, *problems])}", flush=True)

    def _window(self, outcome: Outcome) -> float:
        """When its picture begins: a command takes its time until it does something."""
        since_ms = outcome.at_ms - BEFORE_MS
        for change in Follower(NAMES).feed(outcome.requests):
            is_after = change.at_ms > outcome.at_ms
            if is_after and change.at_ms > since_ms + (COLUMNS - 5) * WIDTH_MS:
                return change.at_ms - COLUMNS // 2 * WIDTH_MS
        return since_ms

    def picture(self, outcomes: list[Outcome]) -> None:
        """The steps again, in lanes, but for those in which one director answered all the time."""
        print(
            f"\nWho answered around each event (v); a column is {WIDTH_MS} ms."
            f"\n# it answered, . it did not, ! a request was not answered, 2 one was by both"
        )
        for outcome in outcomes:
            since_ms = self._window(outcome)
            drawn = lanes(outcome.requests, NAMES, since_ms, (COLUMNS, WIDTH_MS))
            if not outcome.step.moves and not drawn[""] and not outcome.problems():
                continue
            print(f"\n{self.painted(BOLD, outcome.text)}")
            if since_ms < outcome.at_ms:
                print(" " * (7 + BEFORE_MS // WIDTH_MS) + "v")
            for name, lane in drawn.items():
                if lane:
                    print(f"  {name:4} {self.painted(GREEN if name else RED, lane)}")


def main(chapters: list[str]) -> int:
    """Play it; the exit code."""
    steps = tuple(step for step in STEPS if not chapters or step.chapter in chapters)
    known = {step.chapter for step in STEPS}
    if wrong := sorted(set(chapters) - known):
        print(f"demo: {wrong[0]}: chapters are {', '.join(sorted(known))}", file=sys.stderr)
        return 2
    end_in_order()
    try:
        check_possible()
    except DrctlError as refused:
        print(f"demo: {refused}", file=sys.stderr)
        return 2
    try:
        return _demonstrate(steps)
    except DrctlError as failed:
        print(f"demo: {failed}", file=sys.stderr)
        return 1


def _demonstrate(steps: tuple[Step, ...]) -> int:
    outcomes: list[Outcome] = []
    print(
        f"lb1 and lb2 run drctl, heartbeat 100 ms over two links; {SERVER} is a real server,\n"
        f"and a client asks who has {VIP} every millisecond\n",
        flush=True,
    )
    with stage(Plan()) as live:
        screen = Screen(live)
        time.sleep(0.3)
        screen.event("both directors run")
        for outcome in play(live, steps, screen.event, screen.look):
            screen.verdict(outcome)
            outcomes.append(outcome)
            if outcome.holder != outcome.expected:
                break
        screen.picture(outcomes)
    text, is_kept = verdict(steps, outcomes)
    print(f"\n{text}")
    return int(not is_kept)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
