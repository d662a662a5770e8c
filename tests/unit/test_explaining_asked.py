"""What `bgpctl explain` is asked about, as people type it."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from bgpctl.core.intent.explaining.asked import FORMS, Asked, nearest, parse_asked
from bgpctl.errors import UsageError

ALL, SPACED = ("Service", "Pod", "Node"), ("Service", "Pod")


@pytest.mark.parametrize(
    ("text", "namespace", "asked"),
    [
        ("203.0.113.7", "", Asked(prefix=ip_network("203.0.113.7/32"))),
        ("203.0.113.0/24", "", Asked(prefix=ip_network("203.0.113.0/24"))),
        ("2001:db8::1", "x", Asked(prefix=ip_network("2001:db8::1/128"))),
        ("web", "", Asked(ALL, "web", "default")),
        ("web", "shop", Asked(SPACED, "web", "shop")),
        ("shop/web", "", Asked(SPACED, "web", "shop")),
        ("shop/web", "shop", Asked(SPACED, "web", "shop")),
        *(
            (f"{word}/web", "", Asked(("Service",), "web", "default"))
            for word in ("svc", "service", "services")
        ),
        *((f"{word}/shop/web", "", Asked(("Pod",), "web", "shop")) for word in ("po", "pod", "pods")),
        *(
            (f"{word}/worker-1", "", Asked(("Node",), "worker-1", "default"))
            for word in ("no", "node", "nodes")
        ),
        ("node/worker-1", "shop", Asked(("Node",), "worker-1", "shop")),
        ("pod", "", Asked(ALL, "pod", "default")),
        ("other/web", "", Asked(SPACED, "web", "other")),
    ],
)
def test_as_it_is_typed(text: str, namespace: str, asked: Asked) -> None:
    assert parse_asked(text, namespace) == asked


@pytest.mark.parametrize(
    ("text", "namespace", "message", "hint"),
    [
        ("", "", "'' is neither a prefix nor an object", FORMS),
        ("svc/", "", "'svc/' is neither a prefix nor an object", FORMS),
        ("svc//web", "", "'svc//web' is neither a prefix nor an object", FORMS),
        ("svc/a/b/c", "", "'svc/a/b/c' is neither a prefix nor an object", FORMS),
        ("node/a/b", "", "'node/a/b' is neither a prefix nor an object", FORMS),
        ("a/web", "b", "'a/web' is in namespace a, and --namespace says b", "give one of them"),
        (
            "203.0.113.7/24",
            "",
            "203.0.113.7/24 is no prefix: it has bits set behind its /24",
            "write 203.0.113.0/24, or 203.0.113.7 for the address",
        ),
    ],
)
def test_what_is_neither(text: str, namespace: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_asked(text, namespace)
    assert (raised.value.message, raised.value.hint) == (message, hint)


@pytest.mark.parametrize(
    ("known", "told"),
    [
        ((), "none"),
        (("b", "a", "b"), "a, b"),
        (("e", "d", "c", "b", "a"), "a, b, c, d, e"),
        (tuple("cdfghi"), "c, d, f, g, h and 1 more"),
        (("wbe", "aaa", "bbb", "ccc", "ddd", "eee"), "wbe and 5 more"),
    ],
)
def test_what_is_spelt_most_like_it(known: tuple[str, ...], told: str) -> None:
    assert nearest("web", known) == told
