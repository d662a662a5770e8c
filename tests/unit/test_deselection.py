"""Which of several labels is changed, and what is said of a choice that does not take the node out."""

from __future__ import annotations

import pytest

from bgpctl.core.drain.deselection import (
    Lever,
    changed,
    deselecting_label,
    not_ours,
    parse_label_change,
    protected,
)
from bgpctl.core.reading.selectors import LabelSelector, Requirement
from bgpctl.errors import UsageError


def labels(**values: str) -> LabelSelector:
    return LabelSelector(tuple(sorted(values.items())))


def asks(key: str, operator: str, *values: str) -> LabelSelector:
    return LabelSelector(match_expressions=(Requirement(key, operator, frozenset(values)),))


def all_of(*selectors: LabelSelector) -> LabelSelector:
    return LabelSelector(
        tuple(label for selector in selectors for label in selector.match_labels),
        tuple(requirement for selector in selectors for requirement in selector.match_expressions),
    )


@pytest.mark.parametrize(
    ("selector", "have", "label"),
    [
        # true to false, then a label that is set, then one that is removed, then a new value
        (labels(a="x", z="true"), {"a": "x", "z": "true"}, ("z", "false")),
        (all_of(asks("a", "NotIn", "off"), asks("z", "In", "true")), {"z": "true"}, ("z", "false")),
        (all_of(labels(a="x"), asks("z", "NotIn", "off")), {"a": "x"}, ("z", "off")),
        (all_of(labels(z="x"), asks("a", "DoesNotExist")), {"z": "x"}, ("a", "true")),
        (labels(a="x", b="y"), {"a": "x", "b": "y"}, ("a", None)),
        (asks("a", "In", "true", "false"), {"a": "true"}, ("a", None)),
        (asks("a", "NotIn", *"qrstuvwxyz"), {}, ("a", "q")),
    ],
)
def test_the_least_surprising_change_wins(
    selector: LabelSelector, have: dict[str, str], label: tuple[str, str | None]
) -> None:
    assert deselecting_label({"policy": selector}, have).label == label


def test_a_label_is_removed_before_another_gets_a_new_value() -> None:
    policies = {"one": labels(a="x", b="y"), "two": asks("a", "DoesNotExist")}
    assert deselecting_label(policies, {"a": "x", "b": "y"}).label == ("b", None)


def test_a_new_value_is_the_last_that_is_tried() -> None:
    """Removing `a` would select by the other policy, so would false; `drained` is what is left."""
    policies = {"one": labels(a="true"), "two": asks("a", "DoesNotExist"), "three": labels(a="false")}
    assert deselecting_label(policies, {"a": "true"}).label == ("a", "drained")


ZONE = "topology.kubernetes.io/zone"


@pytest.mark.parametrize(
    ("waiting", "label"),
    [
        # every policy that does not select the node now waits for one of the usual changes
        (asks("a", "NotIn", "true", *"qrstuvwxyz"), ("a", "q")),
        (all_of(asks("a", "NotIn", "true", "safe")), ("a", "safe")),
    ],
)
def test_a_value_that_another_policy_bars_is_the_last_resort(
    waiting: LabelSelector, label: tuple[str, str]
) -> None:
    policies = {"here": labels(a="true"), "none": asks("a", "DoesNotExist"), "waiting": waiting}
    assert deselecting_label(policies, {"a": "true"}).label == label


def test_a_value_that_another_policy_does_not_only_ask_for_is_one_too() -> None:
    policies = {
        "here": labels(a="true"),
        "none": asks("a", "DoesNotExist"),
        "out": asks("a", "In", "false", "drained"),
        "elsewhere": labels(a="gold", zone="2"),
    }
    assert deselecting_label(policies, {"a": "true"}).label == ("a", "gold")


def test_the_last_resort_is_no_label_of_kubernetes_either() -> None:
    here = all_of(asks(ZONE, "Exists"), asks(ZONE, "NotIn", "x"))
    found = deselecting_label({"here": here, "none": asks(ZONE, "DoesNotExist")}, {ZONE: "a"})
    assert found.label is None and "--deselect-label KEY=VALUE" in found.refusal


def test_a_change_adds_replaces_or_removes_one_label() -> None:
    before = {"a": "1", "b": "2"}
    assert changed(before, ("a", "3")) == {"a": "3", "b": "2"}
    assert changed(before, ("c", "")) == {"a": "1", "b": "2", "c": ""}
    assert changed(before, ("a", None)) == {"b": "2"}
    assert before == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("text", "change"),
    [("a=b", ("a", "b")), ("a=", ("a", "")), ("a-", ("a", None)), ("x.io/a-", ("x.io/a", None))],
)
def test_a_label_as_kubectl_takes_it(text: str, change: tuple[str, str | None]) -> None:
    assert parse_label_change(text) == change


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a", "--deselect-label 'a' is not a label"),
        ("a-=b", "--deselect-label 'a-=b': 'a-' is not a label key"),
        ("=b", "--deselect-label '=b': '' is not a label key"),
        ("a=b c", "--deselect-label 'a=b c': 'b c' is not a label value"),
    ],
)
def test_what_is_wrong_with_a_label(text: str, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_label_change(text)
    assert str(caught.value) == problem


def test_a_key_without_a_domain_is_ours() -> None:
    assert not protected("k8s.io") and not protected("kubernetes.io") and protected("kubernetes.io/os")


@pytest.mark.parametrize(
    ("override", "refusal"),
    [
        ("b=c", "with the label b=c the node would still be selected: p by a=1"),
        ("b-", "without the label b the node would still be selected: p by a=1"),
    ],
)
def test_an_override_in_vain(override: str, refusal: str) -> None:
    found = deselecting_label({"p": labels(a="1")}, {"a": "1"}, override)
    assert found == Lever(("p",), refusal=refusal, keys=frozenset("a"))


def test_an_override_that_another_policy_for_all_nodes_makes_vain_names_it() -> None:
    """`all` does not select now: it asks for a label that the override sets."""
    found = deselecting_label({"p": labels(a="1"), "q": labels(a="2")}, {"a": "1"}, "a=2")
    assert found.refusal == "with the label a=2 the node would still be selected: q by a=2"


@pytest.mark.parametrize(
    ("names", "subject"),
    [
        (("one",), "policy one selects every node (empty nodeSelector)"),
        (("one", "two"), "policies one, two select every node (empty nodeSelector)"),
    ],
)
def test_who_selects_every_node(names: tuple[str, ...], subject: str) -> None:
    found = deselecting_label({name: None if name == "one" else LabelSelector() for name in names}, {})
    assert found.refusal.startswith(f"{subject}, so no label takes this one out: ")


@pytest.mark.parametrize(
    ("names", "which"),
    [(("one",), "the policy (one selects by"), (("one", "two"), "all policies (one selects by")],
)
def test_what_is_said_where_no_label_of_ours_would_do(names: tuple[str, ...], which: str) -> None:
    selector = labels(**{"kubernetes.io/os": "linux"})
    found = deselecting_label(dict.fromkeys(names, selector), {"kubernetes.io/os": "linux"})
    assert found.refusal.startswith(f"no label of ours takes the node out of {which} kubernetes.io/os=linux")


def keys_of(selector: LabelSelector) -> frozenset[str]:
    return frozenset((*dict(selector.match_labels), *(one.key for one in selector.match_expressions)))


@pytest.mark.parametrize("have", [{}, {"a": "1"}, {"a": "1", "kubernetes.io/os": "linux"}])
def test_the_labels_by_which_anything_selects_nodes(have: dict[str, str]) -> None:
    """Also those of policies that do not select this one, whether or not they are ours to change."""
    policies = {"p": labels(a="1"), "q": asks("kubernetes.io/os", "Exists"), "all": None}
    for some in (policies, {name: policies[name] for name in ("p", "q")}):
        for override in (None, "b=c"):
            assert deselecting_label(some, have, override).keys == {"a", "kubernetes.io/os"}


@pytest.mark.parametrize(
    ("changes", "keys", "why"),
    [
        ({}, {"a"}, ""),
        ({"a": "1"}, {"a"}, ""),
        ({"a": "1", "b": None}, {"a"}, "label b removed (no policy selects nodes by it)"),
        (
            {"node-restriction.kubernetes.io/tenant": "x"},
            {"node-restriction.kubernetes.io/tenant"},
            "label node-restriction.kubernetes.io/tenant=x (it is not ours)",
        ),
        (
            {"node-role.kubernetes.io/control-plane": "", "b": "1"},
            None,
            "label node-role.kubernetes.io/control-plane= (it is not ours)",
        ),
    ],
)
def test_which_labels_no_journal_makes_a_run_change(
    changes: dict[str, str | None], keys: set[str] | None, why: str
) -> None:
    assert not_ours(changes, None if keys is None else frozenset(keys)) == why


@pytest.mark.parametrize(
    ("selector", "have", "ways_in"),
    [
        (labels(a="1"), {}, (("a", "1"),)),
        (labels(a="1", b="2"), {"b": "2"}, (("a", "1"),)),
        (labels(a="1", b="2"), {}, ()),  # one label would not do
        (asks("a", "Exists"), {}, ()),
    ],
)
def test_the_label_that_a_node_lacks(
    selector: LabelSelector, have: dict[str, str], ways_in: tuple[tuple[str, str], ...]
) -> None:
    assert deselecting_label({"p": selector}, have) == Lever(ways_in=ways_in, keys=keys_of(selector))
