"""A review as kubectl sends it (tests/integration/test_api_kubectl.py has the real one), and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.lab.api.protobuf import MAGIC, review


def field(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | 2, len(value)]) + value


ATTRIBUTES = b"".join(
    (field(1, b"kube-system"), field(2, b"get"), field(3, b""), field(5, b"pods"), field(6, b"log"))
)
KIND = field(1, b"authorization.k8s.io/v1") + field(2, b"SelfSubjectAccessReview")
SENT = (
    MAGIC + field(1, KIND) + field(2, field(1, b"") + field(2, field(1, ATTRIBUTES)) + field(3, b"\x08\x00"))
)


def test_a_review() -> None:
    assert review(SENT) == {
        "spec": {
            "resourceAttributes": {
                "namespace": "kube-system",
                "verb": "get",
                "resource": "pods",
                "subresource": "log",
            }
        }
    }


@pytest.mark.parametrize(
    "body", [b"", b"k8s", MAGIC + b"\xff" * 20, MAGIC + b"\x12\x7f", MAGIC + b"\x13\x00"]
)
def test_what_is_none(body: bytes) -> None:
    assert not (review(body).get("spec") or {}).get("resourceAttributes")


@given(st.binary(max_size=64))
def test_no_octets_raise(body: bytes) -> None:
    review(MAGIC + body)
