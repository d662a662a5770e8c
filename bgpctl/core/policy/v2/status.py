"""From verdicts to `status.conditions`: what is written on an object, and what is left to others. Pure.

metav1.Condition: lastTransitionTime moves only with the status, observedGeneration says which spec was
judged. Conditions of other types stay as they are. So do those of our own types that another field manager
writes (Cilium's operator, where it runs too): two writers with two wordings would never come to rest. Who
writes what stands in metadata.managedFields, where an API server keeps them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from bgpctl.core.policy.claim import NO_OWNER, Owner
from bgpctl.core.policy.owners import OWNER_KINDS, AnyClaim, read_claims, select_owner
from bgpctl.core.policy.v2 import conditions as verdict
from bgpctl.core.policy.v2.conditions import Condition
from bgpctl.core.reading.documents import labels_of, metadata, name_of
from bgpctl.core.reading.foreign import LONGEST_TEXT, Foreign, Unreadable, parse_json

Document = Mapping[str, Any]

MANAGER = "bgpctl"  # our field manager
TYPES = frozenset(
    {
        verdict.NO_MATCHING_NODE,
        verdict.MISSING_PEER_CONFIGS,
        verdict.CONFLICTING_CLUSTER_CONFIG,
        verdict.MISSING_AUTH_SECRET,
        verdict.INVALID,
        verdict.NOT_HONOURED,
    }
)
_SAME = ("status", "reason", "message", "observedGeneration")


def merged(document: Document, wanted: Sequence[Condition], generation: int, now: str) -> list[Any] | None:
    """The conditions that `document` should have; None = it has them. `generation` is that of the spec that
    was judged, `now` an RFC 3339 time in seconds."""
    held = list((document.get("status") or {}).get("conditions") or ())
    theirs = written_by_others(metadata(document).get("managedFields") or ())
    before = {entry.get("type"): entry for entry in held if isinstance(entry, Mapping)}
    ours = [
        _entry(condition, before.get(condition.type), generation, now)
        for condition in wanted
        if condition.type not in theirs
    ]
    kept = [entry for entry in held if _type(entry) not in TYPES - theirs]
    fresh = all(_same(entry, before.get(entry["type"])) for entry in ours)
    return None if fresh and len(kept) + len(ours) == len(held) else [*kept, *ours]


def _entry(condition: Condition, before: Document | None, generation: int, now: str) -> dict[str, Any]:
    since = before.get("lastTransitionTime") if before and before.get("status") == condition.status else None
    return {
        "type": condition.type,
        "status": condition.status,
        "observedGeneration": generation,
        "lastTransitionTime": since or now,
        "reason": condition.reason,
        "message": condition.message,
    }


def _same(entry: Document, before: Document | None) -> bool:
    return before is not None and all(entry[key] == before.get(key) for key in _SAME)


def _type(entry: Any) -> Any:
    return entry.get("type") if isinstance(entry, Mapping) else None


def written_by_others(managed_fields: Any) -> frozenset[str]:
    """The condition types that a field manager other than ours set. Entries that no API server writes are no
    word of anybody's."""
    try:
        entries = Foreign({"managedFields": managed_fields}).children("managedFields")
        return frozenset(kind for entry in entries for kind in _conditions_of(entry))
    except Unreadable:
        return frozenset()


def _conditions_of(entry: Foreign) -> Iterator[str]:
    """`k:{"type":"…"}` under f:status, f:conditions of one manager's fields."""
    if entry.text("manager") == MANAGER:
        return
    for _, key in entry.child("fieldsV1").child("f:status").each("f:conditions"):
        if key.startswith("k:"):
            yield Foreign.of(parse_json(key[2:], LONGEST_TEXT)).text("type")


def owners(
    policies: Sequence[Document],
    cluster_configs: Sequence[Document],
    nodes: Iterable[Document],
    selected_by: Mapping[str, str],
) -> dict[str, Owner]:
    """Who has each node. `selected_by`: the names that the speakers report, by node; a name says nothing of
    the kind, so it counts for the object of that name that selects the node."""
    claims = read_claims(policies, cluster_configs)
    found = {}
    for node in nodes:
        labels, name = labels_of(node), name_of(node)
        before = _reported(claims, labels, selected_by.get(name, ""))
        owner = select_owner(claims, labels, before).owner
        if owner is not None:
            found[name] = owner.owner
    return found


def _reported(claims: Collection[AnyClaim], labels: Mapping[str, str], name: str) -> Owner:
    for kind in OWNER_KINDS if name else ():
        owner = Owner(kind, name)
        if any(claim.owner == owner and claim.selects(labels, owner) for claim in claims):
            return owner
    return NO_OWNER
