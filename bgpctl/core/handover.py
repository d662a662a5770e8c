"""Does a node's speaker begin, where another BGP stack may have the node? Pure.

Two stacks that speak for one node take each other's sessions, so who has it keeps it until it is handed over:

    --beside-another-stack ......... begins, and says so
    its sessions run, or it has announced before
        goes on, and says so: a stack that somebody installs beside it must not be the outage, nor may
        an upgrade of its own DaemonSet
    label bgpctl.io/stack=bgpctl ... begins: from now on the node is its own
    the label names another stack .. waits: it is that one's
    nobody could look .............. begins where it ran before (an API server that is away, or a right that
        is missing, stops no node); else waits: what is not known is not "nobody"
    another stack has it ........... waits; also while that one was drained there, which hands nothing over
    one had it at the look before, or one speaks on other nodes and this never ran
        waits for a second look: that one's operator may be about to take it
    nobody has it .................. begins
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bgpctl.core.state import WAITS, NodeState

LABEL, OURS = "bgpctl.io/stack", "bgpctl"
FLAG = "--beside-another-stack"
NOT_LOOKED = "whether another BGP stack has the node is not known yet"


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another stack that has the node: its provider's `name`, `title` for people, the `sign` by which it is
    seen. `closed`: it was made to leave there, and has no session any more. `ends`: how it is ended where no
    drain hands the node over, a sentence without its stop."""

    name: str
    title: str
    sign: str
    closed: bool = False
    ends: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the cluster found. `here`: the other stacks that have the node; `elsewhere`: one
    speaks on other nodes."""

    here: tuple[Neighbour, ...] = ()
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Looks:
    """The last one, and the one before it; None = there was none. `error`: why the next one failed, "" = it
    did not."""

    last: Look | None = None
    before: Look | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Word:
    """`waits`: why it does not begin, "" = it does. `problem`: what somebody should know all the same."""

    waits: str = ""
    problem: str = ""


BEGINS = Word()


def handed_to(labels: Mapping[str, str]) -> str:
    """The stack that has the node by its label, "" = it does not say."""
    return labels.get(LABEL, "")


def ran(before: NodeState) -> bool:
    """Did a speaker that published this do more than wait?"""
    return bool(before.intended or before.selected_by or before.peers or before.withdrawn)


def decide(node: str, label: str, looks: Looks, *, serves: bool, ran: bool, allowed: bool) -> Word:
    """`label`: `handed_to`. `serves`: its sessions run, or it announced before. `ran`: a speaker ran here
    before. `allowed`: the user's word that it may be beside another one."""
    if allowed or serves or label == OURS:
        return Word(problem=_goes_on(looks, allowed=allowed))
    if label:
        return Word(
            f"{WAITS} label {LABEL}={label} says that {node} is {label}'s{_to_hand_over(node, label)}"
        )
    if looks.error:
        return BEGINS if ran else Word(_blind(node, looks.error))
    if looks.last is None:
        return Word(NOT_LOOKED)
    if looks.last.here:
        first = looks.last.here[0]
        return Word(f"{WAITS} {first.title} has {node}, {first.sign}{_how(node, first)}")
    was = looks.before.here[0].title if looks.before and looks.before.here else ""
    if was or (looks.last.elsewhere and looks.before is None and not ran):
        gone = f"{was} had {node} until a moment ago" if was else "another stack speaks BGP on other nodes"
        return Word(f"{WAITS} {gone}, and may be about to have {node}: it is looked for once more")
    return BEGINS


def _goes_on(looks: Looks, *, allowed: bool) -> str:
    speaking = [one for one in looks.last.here if not one.closed] if looks.last else []
    if not speaking:
        return f"whether another BGP stack has this node is not known: {looks.error}" if looks.error else ""
    whose = "; ".join(f"{one.title} has this node too, {one.sign}" for one in speaking)
    why = FLAG if allowed else "it announced already, or the node was handed over to it"
    return f"{whose}: this speaker goes on ({why}); two take each other's sessions: end one of them here"


def _how(node: str, one: Neighbour) -> str:
    if not one.ends:
        return _to_hand_over(node, one.name)
    label = f"kubectl label node {node} {LABEL}={OURS} --overwrite"
    return f". {one.ends}. This one begins then; to say at once that it may: `{label}`"


def _to_hand_over(node: str, name: str) -> str:
    label = f"kubectl label node {node} {LABEL}={OURS} --overwrite"
    return (
        f". To hand it over: `bgpctl node drain {node} --provider {name}`, then `{label}`, then "
        f"`bgpctl node restore {node}`"
    )


def _blind(node: str, error: str) -> str:
    label = f"kubectl label node {node} {LABEL}={OURS}"
    return f"{WAITS} whether another BGP stack has {node} cannot be seen ({error}). If none has: `{label}`"
