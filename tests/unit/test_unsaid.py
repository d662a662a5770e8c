"""What each value is where nobody says: a document of another version lacks a field, a caller leaves one out
(golden/unsaid.txt)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from bgpctl.core.cilium.nodeconfig import Kept
from bgpctl.core.drain.guards import Guard, OtherStack
from bgpctl.core.drain.lever import Lever
from bgpctl.core.drain.pods import PodView
from bgpctl.core.frr_k8s.config import Neighbor
from bgpctl.core.frr_k8s.told import Told
from bgpctl.core.handover import Look, Looks, Neighbour, Word
from bgpctl.core.model import (
    Absent,
    Attributes,
    GracefulRestart,
    Intent,
    LastError,
    Observed,
    Peer,
    Route,
    Session,
)
from bgpctl.core.policy.v2.peer import BGPPeerConfig, PeerFamily
from bgpctl.core.state import NodeState, PeerState, WithdrawnPeer, WithdrawnRecord
from bgpctl.core.timing.facts import PeerFacts
from bgpctl.core.timing.failures import Course
from bgpctl.core.timing.forecast import Brief, Forecast, Router, Row, Subject
from bgpctl.core.timing.groups import Group
from bgpctl.core.timing.mitigations import Case, Mitigation
from bgpctl.render.text import Line, line
from bgpctl.runbooks.actions import ChangeNode, EvictPod
from bgpctl.runbooks.journal import Journal
from bgpctl.runbooks.model import Decision, Event, Result, StepReport
from bgpctl.runbooks.options import DrainOptions, RestartOptions, RestoreOptions
from bgpctl.runbooks.snapshot import EvictionNote, NodeView, PeerAnswer, Snapshot
from bgpctl.witness.model import Path, RouterAnswer
from tests.support.golden import check_golden

VALUES = (
    Kept,
    Guard,
    OtherStack,
    Lever,
    PodView,
    Neighbor,
    Told,
    Neighbour,
    Look,
    Looks,
    Word,
    Peer,
    Attributes,
    Route,
    Absent,
    Intent,
    GracefulRestart,
    LastError,
    Session,
    Observed,
    PeerFamily,
    BGPPeerConfig,
    PeerState,
    WithdrawnPeer,
    WithdrawnRecord,
    NodeState,
    PeerFacts,
    Course,
    Router,
    Subject,
    Row,
    Forecast,
    Brief,
    Group,
    Mitigation,
    Case,
    ChangeNode,
    EvictPod,
    Journal,
    Decision,
    Event,
    StepReport,
    Result,
    DrainOptions,
    RestoreOptions,
    RestartOptions,
    NodeView,
    PeerAnswer,
    EvictionNote,
    Snapshot,
    Path,
    RouterAnswer,
)


def shown(value: object) -> str:
    """An enumeration's word, and no address of anything."""
    return repr(value).partition(" at 0x")[0]


def defaults(one: type) -> Iterator[Line]:
    for field in dataclasses.fields(one):
        name = f"{one.__module__}.{one.__name__}.{field.name}"
        if field.default is not dataclasses.MISSING:
            yield line(f"{name}: {shown(field.default)}")
        elif field.default_factory is not dataclasses.MISSING:
            yield line(f"{name}: {shown(field.default_factory())}")


def test_what_each_value_is_where_nobody_says() -> None:
    check_golden("unsaid.txt", (row for one in VALUES for row in defaults(one)))
