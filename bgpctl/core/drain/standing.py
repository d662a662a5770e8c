"""Was a node taken out of BGP by hand? Its labels tell; where they do not, its cordon or its speaker. Pure.

A node that no policy selects may be out for maintenance, or may never have been meant to speak BGP (a control
plane node, another rack). It counts as out where one label alone keeps it out of a policy, and that label
says so (`enable-bgp=false`). Where the label is missing, or is one that bars, something else has to say it
too: the node is cordoned, or its speaker keeps the record of a withdrawal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bgpctl.core.drain.deselection import DESELECTED, DRAINED, protected
from bgpctl.core.reading.selectors import LabelSelector, Requirement


def out_by_hand(
    labels: Mapping[str, str], selectors: Iterable[LabelSelector | None], *, cordoned: bool, withdrew: bool
) -> str:
    """How a node with `labels` is kept out, in words; "" = a policy selects it, or nothing says that it was
    ever in. `selectors` are the nodeSelectors of all policies; None and empty select every node."""
    chosen = [selector or LabelSelector() for selector in selectors]
    if any(selector.matches(labels) for selector in chosen):
        return ""
    barriers = (_only_barrier(selector, labels) for selector in chosen)
    words = (_word(barrier, labels, cordoned, withdrew) for barrier in barriers if barrier)
    return next(filter(None, words), "")


def _only_barrier(selector: LabelSelector, labels: Mapping[str, str]) -> Requirement | None:
    """The one requirement that the node does not meet; None where it is more than one."""
    wanted = (Requirement(key, "In", frozenset({value})) for key, value in selector.match_labels)
    unmet = [one for one in (*wanted, *selector.match_expressions) if not one.matches(labels)]
    return unmet[0] if len(unmet) == 1 else None


def _word(barrier: Requirement, labels: Mapping[str, str], cordoned: bool, withdrew: bool) -> str:
    key, value = barrier.key, labels.get(barrier.key)
    if protected(key):
        return ""
    if value in (DESELECTED, DRAINED):
        return f"label {key}={value}"
    # A label that has another value (another rack's) is no sign of maintenance, whatever else is.
    if value is not None and barrier.operator not in ("NotIn", "DoesNotExist"):
        return ""
    shown = f"no label {key}" if value is None else f"label {key}={value}"
    if cordoned:
        return f"{shown}, and cordoned"
    return f"{shown}, and its speaker has withdrawn" if withdrew else ""
