"""Another BGP stack on the speaker's node: looked for in a thread of its own, decided by `core.handover`.

Nothing is dropped by it. It is asked before the speaker begins, and again only while nothing runs (after a
drain, say): with sessions or routes it is a report.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping

from bgpctl.core import handover
from bgpctl.core.handover import BEGINS, NOT_LOOKED, Look, Looks
from bgpctl.errors import BgpctlError

WAITING_SECONDS = 15.0  # between two looks of one that waits
SERVING_SECONDS = 600.0  # of one that only reports, give or take a half: a cluster has thousands


class Beside:
    """`look` raises BgpctlError; None = there is no cluster to look at. `allowed`: the user's word that it
    may speak beside another one. What is told is of the last `judge`."""

    def __init__(
        self,
        node: str = "",
        look: Callable[[], Look] | None = None,
        ring: Callable[[], None] = lambda: None,
        *,
        allowed: bool = False,
    ) -> None:
        self._node, self._look, self._ring, self._allowed = node, look, ring, allowed
        self._looks = Looks()
        self._labels: Mapping[str, str] | None = None
        self._met = False  # is there any other stack in this cluster, here or elsewhere?
        self._word = BEGINS
        self._stopped, self._hurry = threading.Event(), threading.Event()

    @property
    def looks(self) -> bool:
        """Is there a cluster to look at?"""
        return self._look is not None

    @property
    def waits(self) -> str:
        """Why the speaker does not begin, "" = it does."""
        return self._word.waits

    @property
    def told(self) -> str:
        """A sentence for whoever looks at the speaker, "" = there is none, nor before the first look."""
        return "" if self.waits == NOT_LOOKED else self.waits or self._word.problem

    def start(self) -> None:
        """Look from now on."""
        if self._look is not None:
            threading.Thread(target=self._run, name="other stacks", daemon=True).start()

    def stop(self) -> None:
        """No more."""
        self._stopped.set()
        self._hurry.set()

    def judge(self, labels: Mapping[str, str], *, serves: bool, ran: bool) -> None:
        """Decide anew, for the Node's `labels` of now. Where there are other stacks, one of them may take a
        node whose labels changed a moment later than we see it: what was seen before counts no more."""
        if self._look is None:
            return
        if self._met and not serves and self._labels not in (None, labels):
            self._looks = Looks()
            self._hurry.set()
        self._labels = labels
        self._word = handover.decide(
            self._node,
            handover.handed_to(labels),
            self._looks,
            serves=serves,
            ran=ran,
            allowed=self._allowed,
        )

    def once(self) -> None:
        """One look. One that fails leaves what was seen before, and says so."""
        assert self._look is not None, "there is nothing to look at"
        before = self._looks
        try:
            found = Looks(self._look(), before.last)
        except BgpctlError as error:
            found = Looks(before.last, before.before, error.message)
        except Exception as error:  # what a stranger's object did to a reader: that look is lost
            found = Looks(before.last, before.before, f"{type(error).__name__} while looking")
        if self._looks is not before:
            return  # the labels changed meanwhile: it is of before
        self._looks = found
        if found.last:
            self._met |= bool(found.last.here or found.last.elsewhere)
        if found != before:
            self._ring()

    def _run(self) -> None:
        due = 0.0
        while not self._stopped.is_set():
            if self._hurry.is_set() or self.waits or self._looks.last is None or time.monotonic() >= due:
                self._hurry.clear()
                self.once()
                due = time.monotonic() + SERVING_SECONDS * random.uniform(0.5, 1.5)  # noqa: S311 — no secret
            self._hurry.wait(WAITING_SECONDS)
