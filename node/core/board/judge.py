"""How each thing on the board stands. Functions of figures: no clock, no I/O."""

from __future__ import annotations

from datetime import datetime, timedelta

from node.core.board.trend import Trend
from node.core.board.verdict import Verdict, act, attention, ok
from node.core.ledger import Balance

LONG_QUIET = timedelta(days=3)  # over a weekend nothing comes
WAITS_LONG = timedelta(hours=1)
_SOON, _VERY_SOON = 14.0, 3.0  # days until the disk is full
_EXPIRES_SOON, _EXPIRES_VERY_SOON = timedelta(days=30), timedelta(days=7)
CLOCKS_APART_S = 5.0
SILENT_S = 15.0  # without a sign of life a process is given up


def balance(found: Balance | None) -> Verdict:
    """None: it was not counted yet."""
    if found is None:
        return ok("It is being counted.")
    if found.residue:
        what = f"{abs(found.residue)} acknowledged {_instances(found.residue)} cannot be accounted for."
        return act(what, "Run `mricore-node check --ledger`: it names every line and file that is not as it was.")
    if found.failed or found.held:
        what = f"All is accounted for; {found.held} held and {found.failed} failed {_instances(2)} wait for a person."
        return attention(what, "Look at what is held and what failed, and decide.")
    return ok("Every acknowledged instance is accounted for.")


def known_source(
    last_seen: datetime | None, refused: int, fault: str, now: datetime, *, is_followed: bool = False
) -> Verdict:
    """One that is configured. `refused`: instances in the last day; `fault`: why a feed does not get on.

    `is_followed`: the node fetches from it, and is not sent to.
    """
    if fault:
        return act(f"It does not get on: {_cut(fault)}", "See that the other archive answers, and who may ask it.")
    if refused:
        what = f"{refused} {_instances(refused)} {'was' if refused == 1 else 'were'} not taken in the last day."
        return attention(what, "Search for them in the trace: each says why; the sender has to send them again.")
    if last_seen is None and is_followed:
        return ok("It is followed; nothing came from it in the last day.")
    if last_seen is None:
        return attention("It never sent anything.", "Send a C-ECHO from it, or take it out of the configuration.")
    if now - last_seen > LONG_QUIET:
        what = f"Nothing came from it for {_days(now - last_seen)}."
        return attention(what, "Ask whether it is in use, and whether its destination still names this node.")
    return ok("It sends.")


def unknown_source(reason: str) -> Verdict:
    """One that asked for an association and did not get it."""
    return attention(f"It was turned away: {_cut(reason)}", "Admit it under Sources if it is one of yours.")


def destination(name: str, waits: str, queued: int, oldest: timedelta | None, *, paused: bool, shut: bool) -> Verdict:
    """`waits` is the breaker's sentence, "" while it is closed; `shut`: a maintenance window is open."""
    long = oldest is not None and oldest > WAITS_LONG
    if waits:
        cure = f"See that {name} runs and answers; what waits is sent by itself then."
        return act(_sentence(waits), cure) if long else attention(_sentence(waits), cure)
    if paused:
        what = f"It is paused, and {queued} results wait." if queued else "It is paused."
        return attention(what, "Resume it when it may be sent to again.")
    if shut:
        return ok(f"It is in its maintenance window; {queued} results wait.")
    if long and oldest is not None:
        what = f"It answers, and the oldest result waits for {_hours(oldest)}."
        return attention(what, "Look at the jobs that wait for it: each says what it waits for.")
    return ok(f"It answers; {queued} results are on their way." if queued else "Nothing waits for it.")


def model(reported: bool, fault: str, *, paused: bool, alone: bool) -> Verdict:
    """`fault`: why it may not be used; `alone`: it is not asked for a while."""
    if not reported:
        return attention("No process says anything of it.", "Start a process of role work, and see its log.")
    if fault:
        return act(_sentence(fault), "See Triton's log; the canary is asked again every second until it passes.")
    if alone:
        return act("It failed several times in a row and is left alone for a moment.", "See Triton's log.")
    if paused:
        return attention("It is paused: its jobs wait.", "Resume it when its results are wanted again.")
    return ok("Its canary passed.")


def jobs(failed: int, overdue: int, oldest: timedelta | None) -> Verdict:
    """`failed`: failed and not processable ones; `oldest`: how long the oldest scheduled one is there."""
    if overdue:
        return act(f"{overdue} jobs are late.", "See what they wait for; give stat jobs a model of their own.")
    if oldest is not None and oldest > WAITS_LONG:
        what = f"The oldest job waits for {_hours(oldest)}."
        return attention(what, "See what it waits for: its model, or its destinations.")
    if failed:
        what = f"{failed} {'job' if failed == 1 else 'jobs'} failed or could not be processed."
        return attention(what, "Each says why. Retry those whose reason is gone.")
    return ok("Jobs get on.")


def disk(room: int, found: Trend) -> Verdict:
    """`room`: bytes above the low watermark."""
    if room < 0:
        cure = "Make room, shorten storage.keep_days, or lower storage.low_watermark."
        return act("Less is free than storage.low_watermark: nothing more is taken.", cure)
    if found.bytes_per_day is None:
        return ok("There is not enough history yet to say how long it lasts.")
    if found.days_left is None or found.days_left > 3650:
        return ok("It does not fill up.")
    what = f"At this rate it is full in {found.days_left:.0f} days."
    cure = "Give it more room, or shorten storage.keep_days."
    if found.days_left < _VERY_SOON:
        return act(what, cure)
    return attention(what, cure) if found.days_left < _SOON else ok(what)


def certificate(expires_at: datetime | None, fault: str, now: datetime) -> Verdict:
    """`fault`: why it cannot be read."""
    if expires_at is None:
        return act(_sentence(fault), "Put a certificate in PEM form there that this process may read.")
    left, cure = expires_at - now, "Put a new one in its place, and start the node again."
    if left <= timedelta():
        return act(f"It expired on {expires_at:%Y-%m-%d}.", cure)
    what = f"It expires in {_days(left)}, on {expires_at:%Y-%m-%d}."
    if left < _EXPIRES_VERY_SOON:
        return act(what, cure)
    return attention(what, cure) if left < _EXPIRES_SOON else ok(what)


def process(silent_seconds: float) -> Verdict:
    if silent_seconds > SILENT_S:
        what = f"It gave no sign of life for {silent_seconds:.0f} seconds."
        return attention(what, "See whether that machine runs. Its jobs are taken up by others.")
    return ok("It lives.")


def clock(ahead_seconds: float | None) -> Verdict:
    """None: one machine alone, whose clock is the node's."""
    if ahead_seconds is None:
        return ok("One machine: its own clock counts.")
    if abs(ahead_seconds) > CLOCKS_APART_S:
        what = f"This machine's clock is {ahead_seconds:+.0f} s from the database's, which counts."
        return attention(what, "Let both take their time from the same NTP server.")
    return ok("This machine's clock agrees with the database's.")


def _instances(number: int) -> str:
    return "instance" if abs(number) == 1 else "instances"


def _days(span: timedelta) -> str:
    days = span.days
    return "less than a day" if days < 1 else f"{days} day{'' if days == 1 else 's'}"


def _hours(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    return _days(span) if hours >= 48 else f"{hours:.0f} hour{'' if round(hours) == 1 else 's'}"


def _cut(text: str) -> str:
    return _sentence(text if len(text) <= 300 else text[:299] + "…")


def _sentence(text: str) -> str:
    text = text.strip()
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."
