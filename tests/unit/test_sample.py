"""CI's sample of the routers: each test runs with two of them, and with every one over a few commits."""

from __future__ import annotations

from tests.support.sample import left_out

TESTS = {
    f"{test}[{kind}]": (f"{test}[]", kind)
    for test in ("a", "b")
    for kind in ("bird", "frr", "gobgp", "openbgpd")
}
TESTS["one[bird]"] = ("one[]", "bird")


def test_two_routers_of_each_test_are_left_and_the_only_one_stays() -> None:
    kept = TESTS.keys() - left_out(TESTS, "seed")
    assert sorted(name[0] for name in kept) == ["a", "a", "b", "b", "o"]


def test_the_same_seed_leaves_out_the_same() -> None:
    assert left_out(TESTS, "seed") == left_out(dict(reversed(TESTS.items())), "seed")


def test_over_a_few_commits_nothing_is_left_out() -> None:
    assert (
        frozenset.intersection(*(left_out(TESTS, f"commit {number}") for number in range(10))) == frozenset()
    )
