"""The pictures of docs/pictures: drawn from a real run; what they show is what RFC 4724 and we promise."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from bgpctl.lab.cluster import Lab
from tests import pictures
from tests.support import lab as labs
from tests.support.require import require

pytestmark = pytest.mark.interop


def told(story: Callable[[Lab], pictures.Story]) -> pictures.Story:
    require("root", "bird")
    with labs.running("bird", nodes=2) as lab:
        return story(lab)


def texts(story: pictures.Story) -> list[str]:
    """What the drawing says, from top to bottom."""
    tree = ElementTree.fromstring(pictures.svg(story))
    assert tree.tag == "{http://www.w3.org/2000/svg}svg"
    return [one.text or "" for one in tree.iter("{http://www.w3.org/2000/svg}text")]


def test_a_drain_withdraws_before_it_closes() -> None:
    story = told(pictures.drain)
    messages = [row.message for row in story.rows if row.message and row.to_router]
    withdraw = max(n for n, words in enumerate(messages) if words.startswith("UPDATE: withdraw"))
    cease = next(n for n, words in enumerate(messages) if words.startswith("Cease (6/2)"))
    assert withdraw < cease < next(n for n, w in enumerate(messages) if "TCP" in w)
    counts = [row.routes.forwarding for row in story.rows if row.routes]
    assert counts and counts[-1] == 0 and not any(row.routes.stale for row in story.rows if row.routes)
    drawn = texts(story)
    assert "none" in drawn and any(words.startswith("ShutDown: safe to power off") for words in drawn)


def test_a_restart_closes_without_a_word_and_no_route_leaves() -> None:
    story = told(pictures.restart)
    messages = [row.message for row in story.rows if row.message and row.to_router]
    assert not [words for words in messages if "Cease" in words or "NOTIFICATION" in words]
    closed = next(n for n, words in enumerate(messages) if "TCP" in words)
    again = messages[closed + 1 :]
    assert (
        again[0] == "OPEN" and again[-1] == "UPDATE: End-of-RIB" and again[1].startswith("UPDATE: announce")
    )
    assert min(row.routes.forwarding for row in story.rows if row.routes) == story.before.forwarding
    assert any("stale" in words for words in texts(story))
