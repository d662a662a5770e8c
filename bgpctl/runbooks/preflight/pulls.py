"""Let nodes pull an image: one short-lived pod on each, timed, and removed again however this ends.

A pod that is left behind all the same (a SIGKILL, an API server that is away) is found by its label by the
next run, and ended by its kubelet before that. Of two runs the second one stops: two pulls at once measure
each other, and what the one removes the other waits for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from bgpctl.core.preflight.pulling import RUN_LABEL, SELECTOR, Seen, Stage, pod, seconds_told, seen
from bgpctl.core.preflight.verdict import Measured, Word
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.errors import BgpctlError, Blocked, Temporary, UsageError
from bgpctl.kube import lease, paths
from bgpctl.kube.client import ApiError, Client, NotFound
from bgpctl.runbooks.clock import Clock

AT_ONCE = 20  # nodes that pull at the same time: a registry has other guests
LOOK_EVERY = 0.5  # seconds
EVENT_PATIENCE = 3.0  # seconds for the kubelet's event, which comes apart from the pod's status
OUTLIVES = 60  # seconds that a pod may live on when its run has no time left
REMOVE_TRIES = 5

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Pulled:
    """What came of one node. `failed`: why it could not get the image, "" = it could, or nobody knows."""

    took: Measured
    failed: str = ""


@dataclass(slots=True)
class _Open:
    """A pod that is at it: since when, by our clock, and since when its image is there."""

    node: str
    name: str
    began: float
    there: float | None = None


@dataclass(slots=True)
class Pulls:
    """One run's pods in `namespace`. A context: nothing of it is left behind its end. `until`: the instant
    (`Clock.monotonic`) at which time is up. `secrets`: names of what logs in at the registry. `late`: the
    nodes that were not done by then."""

    client: Client
    clock: Clock
    namespace: str
    image: str
    run: str
    until: float
    say: Say
    secrets: Sequence[str] = ()
    late: list[str] = field(default_factory=list)
    _open: dict[str, _Open] = field(default_factory=dict)
    _made: bool = False
    _alone: bool = False  # no other run was first
    _cut_short: bool = False  # a creation, which may be carried out all the same

    def __enter__(self) -> Pulls:
        """Clears away what an earlier run left. Raises Blocked where it may be at it still."""
        others = self._others()
        if alive := [one for one in others if self._alive(one)]:
            raise self._busy(alive[0])
        if number := sum(map(self._delete, others)):
            self.say(f"removed {number} pod{'s' if number > 1 else ''} that an earlier preflight left")
        return self

    def __exit__(self, *_: object) -> None:
        if self._made:
            self._remove_all()

    def on(self, nodes: Sequence[str]) -> Iterator[tuple[str, Pulled]]:
        """Each node as it is done. Raises Blocked where the API server takes no such pod."""
        waiting = deque(nodes)
        while waiting or self._open:
            while waiting and len(self._open) < AT_ONCE and self._create(waiting[0]):
                waiting.popleft()
                self._first()
            self.clock.sleep(LOOK_EVERY)
            yield from self._look()
            if self.clock.monotonic() >= self.until:
                yield from self._give_up(waiting)
                return

    # -- other runs

    def _others(self) -> list[Seen]:
        return [one for one in self._listed() if one.run != self.run]

    def _alive(self, one: Seen) -> bool:
        """May the run that made it be at it still? Its kubelet ends the pod with the run's time."""
        return self.clock.now() < one.ends and not lease.ended_here(one.by)

    def _first(self) -> None:
        """Raises Blocked where another run began just before this one, and saw as little of it: whoever made
        the first pod goes on."""
        if self._alone:
            return
        try:
            pods = self._listed()
        except Temporary:
            return
        ours = [one for one in pods if one.run == self.run]
        before = [one for one in pods if one.run != self.run and all(map(one.before, ours))]
        if alive := [one for one in before if self._alive(one)]:
            raise self._busy(alive[0])
        self._alone = True

    def _busy(self, one: Seen) -> Blocked:
        who = one.by.rpartition("/")[0] or "somebody"
        ago = max(0.0, self.clock.now() - one.made)
        return Blocked(
            f"another preflight pulls images, {who} for {ago:.0f} s: two at once would measure each other",
            "wait until it is done; if it runs no more: "
            f"kubectl delete pod -n {self.namespace} -l {SELECTOR}",
        )

    # -- pods

    def _create(self, node: str) -> bool:
        """False: the API server does not answer; it is tried again."""
        left = max(1.0, self.until - self.clock.monotonic())
        by = lease.identity(self.run)
        body = pod(self.image, node, self.run, ceil(left) + OUTLIVES, self.secrets, by)
        began, self._made = self.clock.monotonic(), True
        try:
            made = seen(self.client.create(self._pods, body))
        except KeyboardInterrupt:
            self._cut_short = True
            raise
        except NotFound:
            raise UsageError(
                f"namespace {self.namespace} does not exist", "choose another with --namespace"
            ) from None
        except ApiError as error:
            what = f"the API server takes no pod of a preflight in namespace {self.namespace}"
            raise Blocked(f"{what}: {error.message}", "choose another namespace with --namespace") from None
        except (Temporary, Unreadable):
            return False
        self._open[made.uid] = _Open(node, made.name, began)
        return True

    @property
    def _pods(self) -> str:
        return f"/api/v1/namespaces/{paths.named(self.namespace)}/pods"

    def _listed(self, selector: str = SELECTOR) -> list[Seen]:
        """Those that cannot be read are not ours to touch."""
        found = (_seen(one) for one in self.client.items(self._pods, labelSelector=selector))
        return [one for one in found if one is not None]

    def _delete(self, one: Seen) -> bool:
        options = {"preconditions": {"uid": one.uid}, "gracePeriodSeconds": 0}
        try:
            self.client.delete(paths.pod(self.namespace, one.name), options)
        except ApiError as error:
            if error.code not in (404, 409):
                raise
            return False
        return True

    def _remove_all(self) -> None:
        """Also one whose creation was never answered: by the label, and looked for until it is there."""
        why = ""
        for _ in range(REMOVE_TRIES):
            try:
                left = self._listed(f"{SELECTOR},{RUN_LABEL}={self.run}")
                for one in left:
                    self._delete(one)
                    self._cut_short &= one.uid in self._open  # else it is the one that was not answered
                if not left and not self._cut_short:
                    return
                if not self._cut_short:
                    continue
            except BgpctlError as error:
                why = f" ({error.message})"
            self.clock.sleep(LOOK_EVERY)
        self.say(
            f"warning: pods of this preflight may be left{why}; another preflight removes them, or: "
            f"kubectl delete pod -n {self.namespace} -l {SELECTOR}"
        )

    # -- what became of them

    def _look(self) -> Iterator[tuple[str, Pulled]]:
        try:
            listed = {one.uid: one for one in self._listed(f"{SELECTOR},{RUN_LABEL}={self.run}")}
        except Temporary:
            return
        now = self.clock.monotonic()
        for uid, ours in list(self._open.items()):
            result = self._result(ours, uid, listed.get(uid), now)
            if result is not None:
                del self._open[uid]
                if one := listed.get(uid):
                    with suppress(Temporary):  # it is removed at the end at the latest
                        self._delete(one)
                yield ours.node, result

    def _events(self, name: str) -> Sequence[Mapping[str, Any]]:
        """What the kubelet says that it pulled for this pod; nothing where we may not look."""
        path = f"/api/v1/namespaces/{paths.named(self.namespace)}/events"
        try:
            return self.client.items(path, fieldSelector=f"involvedObject.name={name},reason=Pulled")
        except (ApiError, Temporary):
            return ()

    def _result(self, ours: _Open, uid: str, one: Seen | None, now: float) -> Pulled | None:
        """None: it is not done."""
        if one is None:
            return Pulled(Measured(how="somebody else removed its pod"))
        if one.stage is Stage.WAITING:
            return None
        if one.stage is Stage.FAILED:
            return Pulled(Measured(how=one.why), one.why)
        if one.stage is Stage.REFUSED:
            return Pulled(Measured(how=f"the node did not run the pod: {one.why}"))
        if ours.there is None:
            ours.there = now
        told = seconds_told(self._events(ours.name), ours.name, uid)
        if told is not None:
            return Pulled(Measured(told, Word.REPORTED, "by its kubelet"))
        if now - ours.there < EVENT_PATIENCE:
            return None
        how = "from the order for its pod until the image was there: its kubelet told no time"
        return Pulled(Measured(ours.there - ours.began, Word.ESTIMATED, how))

    def _give_up(self, waiting: Sequence[str]) -> Iterator[tuple[str, Pulled]]:
        now = self.clock.monotonic()
        for ours in self._open.values():
            took = now - ours.began
            self.late.append(ours.node)
            yield ours.node, Pulled(Measured(how="time was up before it ended", least=took))
        self._open.clear()
        for node in waiting:
            self.late.append(node)
            yield node, Pulled(Measured(how="time was up before it began"))


def _seen(document: Any) -> Seen | None:
    try:
        return seen(document)
    except Unreadable:
        return None
