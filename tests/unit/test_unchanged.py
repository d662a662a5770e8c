"""What is remembered of documents is what was made of the very document that is asked about, and bounded."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.core.reading.foreign import Foreign, Unreadable
from bgpctl.core.reading.unchanged import remembered


class Maker:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def __call__(self, document: Any) -> str:
        self.asked.append(document)
        return repr(document)


def test_a_document_that_has_not_changed_is_read_once() -> None:
    maker = Maker()
    read = remembered(maker)
    assert read({"a": [1, None]}) is read({"a": [1, None]})
    assert len(maker.asked) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, {"a": True}),
        ({"a": 1}, {"a": 1.0}),
        ({"a": 0.0}, {"a": -0.0}),
        ({"a": None}, {}),
        ({"a": ["1", "2"]}, {"a": ["12"]}),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": "\ud800"}, {"a": "\ud801"}),
    ],
)
def test_whatever_differs_in_it_makes_another_document(one: Any, other: Any) -> None:
    read = remembered(repr)
    assert (read(one), read(other)) == (repr(one), repr(other))


def test_the_version_that_a_server_tells_is_not_believed() -> None:
    metadata = {"uid": "u", "resourceVersion": "7"}
    read = remembered(repr)
    for phase in ("Running", "Withdrawn", "Running"):
        document = {"metadata": metadata, "phase": phase}
        assert read(document) == repr(document)


def test_a_document_that_is_changed_in_place_is_another_one() -> None:
    read, document = remembered(repr), {"a": [1]}
    assert read(document) == "{'a': [1]}"
    document["a"].append(2)
    assert read(document) == "{'a': [1, 2]}"


def test_what_cannot_be_read_is_refused_each_time() -> None:
    read = remembered(lambda document: Foreign.of(document).integer("a"))
    for _ in range(2):
        with pytest.raises(Unreadable):
            read({"a": "x"})
    assert read({"a": 1}) == 1


def test_what_is_no_plain_json_is_read_each_time() -> None:
    class Placed(str):
        """A string that knows where it was written."""

    maker = Maker()
    read = remembered(maker)
    for _ in range(2):
        read({"a": Placed("b")})
    assert len(maker.asked) == 2


def test_it_forgets() -> None:
    maker = Maker()
    read = remembered(maker, most=2)
    for document in (1, 2, 1, 2, 3, 3, 1):
        read(document)
    assert maker.asked == [1, 2, 3, 1]
