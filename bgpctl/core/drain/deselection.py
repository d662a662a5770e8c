"""Which label change takes a node out of every policy that selects it, or why none does.

The guide flips the label that the policy's nodeSelector needs (`enable-bgp=true` to `false`). Every
candidate is proved by evaluating all selectors on the changed labels, also those of policies that do not
select the node now: a label that leaves one policy and enters another is no way out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from bgpctl.core.drain.lever import EXCLUDE, LabelChange, Lever, shown
from bgpctl.core.reading.selectors import (
    KEY_RULE,
    VALUE_RULE,
    LabelSelector,
    Requirement,
    valid_label_key,
    valid_label_value,
)
from bgpctl.errors import UsageError

Selectors = Mapping[str, LabelSelector]

SELECTED, DESELECTED, DRAINED = "true", "false", "drained"
OVERRIDE = "--deselect-label"


def deselecting_label(
    policies: Mapping[str, LabelSelector | None], labels: Mapping[str, str], override: str | None = None
) -> Lever:
    """The label to change on a node with `labels`.

    `policies`: the nodeSelector of every policy by name; None and empty select every node. `override` is the
    user's KEY=VALUE, or KEY- to remove a label; it is taken as it is, also for a protected key, but must
    deselect the node too. Raises UsageError when it is not written like that.
    """
    selectors = {name: selector or LabelSelector() for name, selector in policies.items()}
    keys = frozenset(key for selector in selectors.values() for key, _ in _spoken(selector))
    return replace(_lever(selectors, labels, override), keys=keys)


def _lever(selectors: dict[str, LabelSelector], labels: Mapping[str, str], override: str | None) -> Lever:
    selecting = _selecting(selectors, labels)
    if not selecting:
        return Lever(ways_in=tuple(_ways_in(selectors, labels)))
    everywhere = [name for name in selecting if selectors[name].empty]
    if everywhere:
        return Lever(selecting, refusal=_no_selector(everywhere))
    if override is not None:
        return _overridden(selectors, labels, selecting, parse_label_change(override))
    for change in (*_candidates(selectors, selecting), *_last_resort(selectors, selecting)):
        if not _selecting(selectors, changed(labels, change)):
            return Lever(selecting, change)
    return Lever(selecting, refusal=_no_label(selectors, selecting))


def _ways_in(selectors: Selectors, labels: Mapping[str, str]) -> Iterator[LabelChange]:
    """The one label that each policy misses on the node."""
    for selector in selectors.values():
        for change in selector.match_labels:
            if selector.matches(changed(labels, change)):
                yield change


def changed(labels: Mapping[str, str], change: LabelChange) -> dict[str, str]:
    """`labels` after `change`."""
    key, value = change
    rest = {name: text for name, text in labels.items() if name != key}
    return rest if value is None else {**rest, key: value}


def parse_label_change(text: str) -> LabelChange:
    """KEY=VALUE or KEY-, as kubectl label takes them. Raises UsageError."""
    key, equals, value = text.partition("=")
    if not equals and key.endswith("-"):
        key = key[:-1]
    elif not equals:
        raise UsageError(f"{OVERRIDE} {text!r} is not a label", "write KEY=VALUE, or KEY- to remove a label")
    if not valid_label_key(key):
        raise UsageError(f"{OVERRIDE} {text!r}: {key!r} is not a label key", KEY_RULE)
    if not valid_label_value(value):
        raise UsageError(f"{OVERRIDE} {text!r}: {value!r} is not a label value", VALUE_RULE)
    return key, value if equals else None


def protected(key: str) -> bool:
    """Labels that Kubernetes, the kubelet or the cloud own: others decide by them, and they come back."""
    domain = "." + key.rpartition("/")[0]
    return domain.endswith((".kubernetes.io", ".k8s.io"))


def free(key: str) -> bool:
    """May a run change this label, where something selects by it?"""
    return key == EXCLUDE or not protected(key)


def not_ours(changes: Mapping[str, str | None], keys: frozenset[str] | None = None) -> str:
    """Why a run does not make these changes of labels though a journal says so, "" = it may. A journal is an
    annotation of the Node, which its kubelet may write: a run changes only labels by which policies select
    nodes (`keys`, None = any), and none that others decide by: but the one that takes a node out of load
    balancers, which a kubelet may set itself (NodeRestriction)."""
    told = (
        f"{shown((key, value))} ({'no policy selects nodes by it' if free(key) else 'it is not ours'})"
        for key, value in changes.items()
        if not free(key) or (keys is not None and key not in keys)
    )
    return ", ".join(told)


def _selecting(selectors: Selectors, labels: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(name for name, selector in selectors.items() if selector.matches(labels))


def _candidates(selectors: Selectors, policies: tuple[str, ...]) -> list[LabelChange]:
    """The least surprising first: true to false, a label that is set, one that is removed, a new value."""
    found: dict[LabelChange, None] = {}
    for name in policies:
        found.update(dict.fromkeys(_breaking(selectors[name])))
    return sorted((change for change in found if not protected(change[0])), key=_surprise)


def _last_resort(selectors: Selectors, policies: tuple[str, ...]) -> list[LabelChange]:
    """Every value that any policy speaks of, for the keys by which the node is selected: it may bar the node
    where another policy only asks for the key."""
    keys = {key for name in policies for key, _ in _spoken(selectors[name]) if not protected(key)}
    pairs = {pair for selector in selectors.values() for pair in _spoken(selector)}
    return sorted((key, value) for key, value in pairs if key in keys and value is not None)


def _spoken(selector: LabelSelector) -> Iterator[tuple[str, str | None]]:
    """The labels in a selector; None for the value where it asks only for the key."""
    yield from selector.match_labels
    for requirement in selector.match_expressions:
        yield from ((requirement.key, value) for value in requirement.values or (None,))


def _surprise(change: LabelChange) -> int:
    _, value = change
    return {DESELECTED: 0, None: 2, DRAINED: 3}.get(value, 1)


def _breaking(selector: LabelSelector) -> Iterator[LabelChange]:
    """Every change of one label that makes `selector` not match."""
    for key, value in selector.match_labels:
        yield from _breaking_values(key, frozenset({value}))
    for requirement in selector.match_expressions:
        yield from _breaking_requirement(requirement)


def _breaking_requirement(requirement: Requirement) -> Iterator[LabelChange]:
    key, values = requirement.key, requirement.values
    match requirement.operator:
        case "In":
            yield from _breaking_values(key, values)
        case "NotIn":
            yield from ((key, value) for value in sorted(values))
        case "Exists":
            yield key, None
        case "DoesNotExist":
            # "drained" where another policy waits for "true"
            yield from ((key, SELECTED), (key, DRAINED))


def _breaking_values(key: str, values: frozenset[str]) -> Iterator[LabelChange]:
    if SELECTED in values:
        yield key, DESELECTED
    yield key, None
    yield key, DRAINED


def _overridden(
    selectors: Selectors, labels: Mapping[str, str], policies: tuple[str, ...], change: LabelChange
) -> Lever:
    left = _selecting(selectors, changed(labels, change))
    if not left:
        return Lever(policies, change)
    key, value = change
    shown = f"without the label {key}" if value is None else f"with the label {key}={value}"
    which = "; ".join(f"{name} by {selectors[name]}" for name in left)
    return Lever(policies, refusal=f"{shown} the node would still be selected: {which}")


def _no_selector(names: list[str]) -> str:
    subject = f"policy {names[0]} selects" if len(names) == 1 else f"policies {', '.join(names)} select"
    return (
        f"{subject} every node (empty nodeSelector), so no label takes this one out: give the policy a "
        "nodeSelector such as enable-bgp=true, label the nodes, and run this again"
    )


def _no_label(selectors: Selectors, policies: tuple[str, ...]) -> str:
    which = "; ".join(f"{name} selects by {selectors[name]}" for name in policies)
    return (
        f"no label of ours takes the node out of {'the policy' if len(policies) == 1 else 'all policies'} "
        f"({which}), and labels of Kubernetes itself are not touched: pass {OVERRIDE} KEY=VALUE"
    )
