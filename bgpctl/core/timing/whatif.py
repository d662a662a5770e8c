"""`--set`: what a session would be with other timers; fields and ranges are CiliumBGPPeerConfig's. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bgpctl.core.policy.v2.peer import DEFAULTS, LIMITS
from bgpctl.core.reading.fields import show
from bgpctl.core.timing.facts import PeerFacts
from bgpctl.errors import UsageError

HOLD, KEEPALIVE = "holdTimeSeconds", "keepAliveTimeSeconds"
ENABLED, RESTART = "gracefulRestart.enabled", "gracefulRestart.restartTimeSeconds"
FIELDS = (HOLD, KEEPALIVE, ENABLED, RESTART)
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Settings:
    """What is to be otherwise than today; None = as it is. Times in seconds. A restart time turns graceful
    restart on."""

    hold_time: int | None = None
    keepalive_time: int | None = None
    graceful: bool | None = None
    restart_time: int | None = None

    @property
    def told(self) -> str:
        """As they were typed, in the order of the resource: `holdTimeSeconds=3 …`."""
        values = {
            HOLD: self.hold_time,
            KEEPALIVE: self.keepalive_time,
            ENABLED: self.graceful,
            RESTART: self.restart_time,
        }
        return " ".join(f"{name}={str(value).lower()}" for name, value in values.items() if value is not None)


def parse_settings(texts: Sequence[str]) -> Settings | None:
    """Repeated `--set FIELD=VALUE`, None = there is none. Raises UsageError."""
    if not texts:
        return None
    values: dict[str, int] = {}
    for text in texts:
        field, equals, value = text.partition("=")
        name = field.strip().removeprefix("spec.").removeprefix("timers.")
        if not equals or name not in FIELDS:
            raise UsageError(
                f"--set {show(text)}: there is no {show(field.strip())}"
                if equals
                else f"--set {show(text)} has no value",
                f"write FIELD=VALUE; the fields of CiliumBGPPeerConfig that count here: {', '.join(FIELDS)}",
            )
        if name in values:
            raise UsageError(f"--set gives {name} twice", "give it once")
        values[name] = _value(name, value.strip().lower(), text)
    graceful = bool(values[ENABLED]) if ENABLED in values else None
    found = Settings(values.get(HOLD), values.get(KEEPALIVE), graceful, values.get(RESTART))
    return _checked(found)


def _value(name: str, value: str, text: str) -> int:
    if name == ENABLED:
        if value not in _TRUTH:
            raise UsageError(
                f"--set {show(text)}: {show(value)} is neither true nor false", f"write {ENABLED}=true"
            )
        return _TRUTH[value]
    limit = LIMITS[name.rpartition(".")[2]]
    number = int(value) if _NUMBER.fullmatch(value) else -1
    if not limit.low <= number <= limit.high:
        raise UsageError(
            f"--set {show(text)}: {show(value)} is no number of seconds from {limit.low} to {limit.high}",
            "the range is CiliumBGPPeerConfig's",
        )
    return number


def _checked(found: Settings) -> Settings:
    if found.graceful is False and found.restart_time is not None:
        raise UsageError(
            f"--set {RESTART}: a restart time is for graceful restart, and {ENABLED}=false turns it off",
            "give one of them",
        )
    hold, keepalive = found.hold_time, found.keepalive_time
    if hold is not None and keepalive is not None and keepalive > hold:
        raise UsageError(
            f"--set {KEEPALIVE}={keepalive}: it is longer than {HOLD}={hold}, which no API server takes",
            f"RFC 4271 section 4.4 suggests a third: {KEEPALIVE}={max(1, hold // 3)}",
        )
    return found


def check_keepalive(settings: Settings, every: Iterable[PeerFacts]) -> None:
    """Raises UsageError where a session would have a longer keepalive interval than hold time."""
    for facts in every:
        hold, keepalive = changed(facts, settings).hold_time, settings.keepalive_time
        if keepalive is not None and 0 < hold < keepalive:
            raise UsageError(
                f"--set {KEEPALIVE}={keepalive}: longer than the hold time of {facts.address}, {hold} s",
                f"set that as well: --set {HOLD}={min(3 * keepalive, LIMITS[HOLD].high)}",
            )


def changed(facts: PeerFacts, settings: Settings) -> PeerFacts:
    """The facts with these settings. What nobody has negotiated yet is unknown: a router's own hold time
    where ours grows, its graceful restart where it never told. A keepalive interval that is not set shrinks
    with the hold time (RFC 4271 section 4.4)."""
    hold = facts.hold_time if settings.hold_time is None else settings.hold_time
    if facts.negotiated and facts.hold_time == 0:
        hold = 0  # the router wants none, and the smaller one counts
    keepalive = min(facts.keepalive_time, max(1, hold // 3)) if hold else facts.keepalive_time
    if settings.keepalive_time is not None:
        keepalive = settings.keepalive_time
    grown = facts.negotiated and hold > facts.hold_time
    timed = replace(
        facts, hold_time=hold, keepalive_time=keepalive, negotiated=facts.negotiated and not grown
    )
    if settings.graceful is False:
        return without_graceful(timed)
    if settings.graceful is None and settings.restart_time is None:
        return timed
    return with_graceful(timed, settings.restart_time)


def without_graceful(facts: PeerFacts) -> PeerFacts:
    """We do not offer graceful restart."""
    return replace(facts, restart_time=None, graceful=False, local_n=False, long_lived=None)


def with_graceful(facts: PeerFacts, restart_time: int | None = None) -> PeerFacts:
    """We offer it, with that restart time, else today's, else the default. Where we do not today, the
    router's answer is its OPEN's, and that we send the N bit as well is taken for sure, as the worst."""
    seconds = restart_time or facts.restart_time or DEFAULTS["restartTimeSeconds"]
    if facts.restart_time is not None:
        return replace(facts, restart_time=seconds)
    return replace(facts, restart_time=seconds, graceful=facts.peer_graceful, local_n=True)
