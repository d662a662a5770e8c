"""How one node is made to leave BGP and to come back: what its provider found, as values. Pure.

A lever is found anew at every look, on the cluster as it is: what still has to be changed is in it, and when
nothing has, the node was told. So pulling one twice is harmless, and a run that was killed goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bgpctl.core.timing.withdrawal import Close

# (key, new value); None = the label is removed.
LabelChange = tuple[str, str | None]

EXCLUDE = "node.kubernetes.io/exclude-from-external-load-balancers"
"""Kubernetes' own label of a Node to which no load balancer may send traffic; BGP stacks obey it in their
own ways."""


class Effect(StrEnum):
    """What pulling a lever does to the node's sessions."""

    WITHDRAWS = "withdraws"  # every route by UPDATE; the sessions are closed afterwards
    CLOSES = "closes"  # the sessions end; routers keep the routes as long as graceful restart lets them
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Patch:
    """One change of one object that is not the Node: a JSON patch (RFC 6902), its `test` operations first,
    the resourceVersion among them. `path` is the object's REST path, `what` one line for people. A test that
    fails means: look again."""

    path: str
    what: str
    operations: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Create:
    """A new object beside the Node: where there is one of its name the API server refuses it, which means:
    look again. `path` is the object's own REST path, `what` one line for people."""

    path: str
    what: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Delete:
    """The end of exactly this object, in this version: the API server compares both (preconditions)."""

    path: str
    what: str
    uid: str
    version: str


Change = Patch | Create | Delete
"""Of an object that is not the Node."""


@dataclass(frozen=True, slots=True)
class Lever:
    """`policies` make the node speak BGP now, () = nothing does. Then either `label` (of the Node), or
    `patches` of other objects, take it out of all of them, or `refusal` says in a sentence why nothing does
    (that the right to patch is missing is such a reason: it is said before anything is changed).
    `ways_in` are the labels that would make one select the node. `keys`: the labels by which anything selects
    nodes.

    `back`: what still has to be changed for the node to be as it was before the run. `prior` is what the
    journal has to keep for that: plain JSON, in words of the provider, which reads it as it reads anything
    foreign. `effect` and `close` say what the routers will see, `close` None = as bgpctl's own speaker.
    `closing`: what closes the sessions of a node that has withdrawn, where that takes another patch.
    `objects`: the REST paths of all objects that are patched for it, whether something is left to patch or
    not: a run that follows another one moves their versions first, so that nothing late is let in.
    `note`: what else should be known before it is pulled, a sentence. `soak`: what makes the node announce
    its routes with GRACEFUL_SHUTDOWN first (RFC 8326), where somebody asks for that; `soaks`: it does so;
    `unsoaked`: why it cannot, a sentence, "" = nobody knows why."""

    policies: tuple[str, ...] = ()
    label: LabelChange | None = None
    refusal: str = ""
    ways_in: tuple[LabelChange, ...] = ()
    keys: frozenset[str] = frozenset()
    patches: tuple[Change, ...] = ()
    back: tuple[Change, ...] = ()
    prior: Mapping[str, Any] = field(default_factory=dict)
    effect: Effect = Effect.WITHDRAWS
    close: Close | None = None
    closing: tuple[Change, ...] = ()
    note: str = ""
    objects: tuple[str, ...] = ()
    soak: tuple[Patch, ...] = ()
    soaks: bool = False
    unsoaked: str = ""

    @property
    def told(self) -> str:
        """How the node is made to leave, in one line; "" = by nothing that is known."""
        if self.label is None:
            return ", ".join(patch.what for patch in self.patches)
        return shown(self.label)


def holds(document: Any, operations: Iterable[Mapping[str, Any]]) -> bool:
    """Would every `test` of a JSON patch pass on this document? What cannot be followed is null."""
    tests = (one for one in operations if one.get("op") == "test")
    return all(_at(document, str(one.get("path"))) == one.get("value") for one in tests)


def _at(document: Any, pointer: str) -> Any:
    """RFC 6901."""
    found = document
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping):
            found = found.get(key)
        elif isinstance(found, list) and key.isdigit() and int(key) < len(found):
            found = found[int(key)]
        else:
            return None
    return found


def shown(change: LabelChange) -> str:
    """A label's change, for people."""
    key, value = change
    return f"label {key} removed" if value is None else f"label {key}={value}"
