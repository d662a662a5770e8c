"""When may announcements go out, and which peers may be closed silently? Two small rules, decided purely.

Withdrawals are never held back. Announcements are: the first after a pause goes at once (a change should be
on the router within milliseconds), the ones that follow within WINDOW wait together, so that a burst of
events costs one UPDATE run. The wait is bounded by WINDOW because it is counted from the last release.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bgpctl.core.intent.diff import Action, Announce
from bgpctl.core.model import Observed, Session

WINDOW = 0.1


def release(
    actions: Sequence[Action], now: float, last_release: float, window: float = WINDOW
) -> tuple[tuple[Action, ...], float | None]:
    """The actions to perform now, and in how many seconds the held-back rest is due (None = nothing held).

    `Synced` waits with the announcements that it closes.
    """
    due = last_release + window - now
    if due <= 0 or not any(isinstance(action, Announce) for action in actions):
        return tuple(actions), None
    first = next(i for i, action in enumerate(actions) if isinstance(action, Announce))
    return tuple(actions[:first]), due


def keeps_forwarding(session: Session) -> bool:
    """Would the peer keep our routes over a silent close? Only when both sides sent the graceful restart
    capability (RFC 4724 section 4)."""
    return session.established and session.local_gr is not None and session.peer_gr is not None


def peers_to_leave_on_stop(observed: Observed) -> tuple[str, ...]:
    """A restarting speaker closes silently where the peer keeps forwarding; from every other peer it must
    withdraw and send Cease, or the peer learns of the stop only from the closed connection."""
    return tuple(sorted(_not_kept(observed.peers, observed)))


def _not_kept(names: Iterable[str], observed: Observed) -> Iterable[str]:
    for name in names:
        session = observed.sessions.get(name)
        if session is None or not keeps_forwarding(session):
            yield name
