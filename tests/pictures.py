"""`make pictures`: docs/pictures/*.svg, a drain and a restart as they were on the wire, from a real run.

A lab with a real router; the messages are read off the loopback interface, the router's routes are what it
says when it is asked every 50 ms, the steps are the events of `bgpctl … -o json`. Root.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path
from textwrap import shorten

from bgpctl.lab.cluster import Lab
from bgpctl.lab.watcher import Change
from tests.support import lab as labs
from tests.support.sniffer import Heard, Sniffer
from tests.support.wait import eventually

PLACE = Path(__file__).resolve().parent.parent / "docs/pictures"
NODE = "worker-1"

# Of the picture, in its own units.
WIDTH, STEP, TOP = 840, 26, 74
TIME, STEPS, NODE_X, ROUTER_X, BAR, COUNT = 8, 74, 390, 726, 750, 780
LONGEST, MESSAGE = 50, 54  # characters of a step's text, and of a message

STYLE = """
svg { --ink: #222; --dim: #6b6b6b; --line: #cfcfcf; --has: #5d9c74; --stale: #d9a441; --says: #2d6fb3;
  font: 12px system-ui, sans-serif; }
@media (prefers-color-scheme: dark) { svg { --ink: #e4e4e4; --dim: #9a9a9a; --line: #4a4a4a; --has: #5f9f76;
  --stale: #c08e35; --says: #77aee6; } }
text { fill: var(--ink); } .dim { fill: var(--dim); } .head { font-weight: 600; }
.lane { stroke: var(--line); } .says { stroke: var(--says); fill: none; } .tip { fill: var(--says); }
.has { fill: var(--has); } .stale { fill: var(--stale); } .none { fill: none; stroke: var(--line); }
.middle { text-anchor: middle; } .end { text-anchor: end; }
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the picture: a step's words, a message (`to_router`: its direction), or a change of the
    router's routes."""

    at: float
    step: str = ""
    message: str = ""
    to_router: bool = True
    routes: Change | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """What happened, and to whom. `before`: the router's routes of the node at the beginning."""

    title: str
    router: str
    rows: Sequence[Row]
    before: Change


def drain(lab: Lab) -> Story:
    """The whole `node drain`."""

    def run() -> Iterator[Row]:
        yield Row(time.time(), f"$ bgpctl node drain {NODE}")
        ran = labs.run_ok(lab, "node", "drain", NODE, "-o", "json")
        for line in ran.out.splitlines():
            event = json.loads(line)
            if event.get("kind") == "step" and event["state"] == "done":
                yield Row(_epoch(event["time"]), f"{event['step']}: {event['text']}")

    return _told(lab, "A node leaves: bgpctl node drain", run)


def restart(lab: Lab) -> Story:
    """SIGTERM to the speaker, and another one, as when its pod is replaced."""
    speaker = next(one for one in lab.speakers if one.node == NODE)

    def run() -> Iterator[Row]:
        yield Row(time.time(), "SIGTERM: the speaker's pod is replaced")
        speaker.stop()
        yield Row(time.time(), "the speaker has ended")
        yield Row(time.time(), "the next one starts")
        before = lab.node_state(NODE)["startedAt"]
        speaker.start()
        eventually(lambda: lab.node_state(NODE)["startedAt"] != before, 20, why="a new speaker reports")
        lab.wait_ready()
        yield Row(time.time(), "it has told that everything is announced")

    return _told(lab, "A speaker restarts under graceful restart (RFC 4724)", run)


def _told(lab: Lab, title: str, run: Callable[[], Iterator[Row]]) -> Story:
    node = next(one for one in lab.speakers if one.node == NODE).address
    router = lab.router.spec
    with labs.watcher(lab) as eye, Sniffer(node, router.address, router.port) as wire:
        before = eye.of(NODE)[-1]
        steps = list(run())
    changes = [Row(one.at, routes=one) for one in eye.of(NODE) if one.at > before.at]
    messages = [Row(one.at, message=one.words, to_router=one.source == node) for one in _shown(wire.heard)]
    rows = [row for row in (*steps, *changes, *messages) if row.at >= steps[0].at]
    rows.sort(key=lambda row: row.at)
    return Story(title, router.kind, rows, before)


def _shown(heard: Sequence[Heard]) -> Iterator[Heard]:
    """Without the echo of a closed connection."""
    closed: set[frozenset[str]] = set()
    for one in heard:
        ends = frozenset((one.source, one.target))
        if one.words.startswith("TCP"):
            if ends in closed:
                continue
            closed.add(ends)
        elif one.words == "OPEN":
            closed.discard(ends)
        yield one


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


# --- the picture


def svg(story: Story) -> str:
    """A sequence diagram, one line per happening; the time is told, not drawn."""
    height = TOP + STEP * len(story.rows) + 16
    body = [*_head(story, height), *_bars(story), *(_line(n, row, story) for n, row in enumerate(story.rows))]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">\n'
        f"<title>{escape(story.title)}</title>\n<style>{STYLE}</style>\n" + "\n".join(body) + "\n</svg>\n"
    )


def _head(story: Story, height: int) -> Iterator[str]:
    yield _text(TIME, 20, story.title, "head")
    yield _text(TIME, 50, "seconds", "dim")
    yield _text(STEPS, 50, "what bgpctl and its speaker do", "dim")
    yield _text(NODE_X, 50, NODE, "head middle")
    yield _text(ROUTER_X, 50, story.router, "head middle")
    yield _text(BAR, 50, "its routes", "dim")
    for x in (NODE_X, ROUTER_X):
        yield f'<line class="lane" x1="{x}" x2="{x}" y1="58" y2="{height - 8}"/>'


def _bars(story: Story) -> Iterator[str]:
    """What the router has of the node: a bar that goes on until it changes."""
    since, now = 0, story.before
    for number, row in enumerate(story.rows):
        if row.routes:
            yield from _bar(since, number, now)
            since, now = number, row.routes
    yield from _bar(since, len(story.rows), now)


def _bar(begin: int, end: int, now: Change) -> Iterator[str]:
    kind = "has" if now.routes else "stale" if now.stale else "none"
    y, height = _y(begin) - 8, (end - begin) * STEP - 2
    yield f'<rect class="{kind}" x="{BAR}" y="{y}" width="14" height="{height}"/>'
    told = f"{now.routes}" if now.routes else f"{now.stale} stale" if now.stale else "none"
    yield _text(COUNT - 8, y + 12, told, "dim" if kind == "none" else "")


def _line(number: int, row: Row, story: Story) -> str:
    y, zero = _y(number), story.rows[0].at
    parts = [_text(TIME + 44, y, f"{row.at - zero:.3f}", "dim end")]
    if row.step:
        parts.append(_text(STEPS, y, shorten(row.step, LONGEST, placeholder=" …")))
    if row.message:
        left, right = NODE_X + 2, ROUTER_X - 2
        tip, back = (right, -7) if row.to_router else (left, 7)
        parts.append(f'<line class="says" x1="{left}" x2="{right}" y1="{y}" y2="{y}"/>')
        parts.append(f'<path class="tip" d="M{tip} {y} l{back} -4 v8 z"/>')
        parts.append(
            _text((left + right) // 2, y - 4, shorten(row.message, MESSAGE, placeholder=" …"), "middle")
        )
    return "".join(parts)


def _y(number: int) -> int:
    return TOP + 8 + STEP * number


def _text(x: int, y: int, words: str, kind: str = "") -> str:
    attribute = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}"{attribute}>{escape(words)}</text>'


def main(words: list[str]) -> None:
    """Writes both pictures."""
    parser = argparse.ArgumentParser(prog="python -m tests.pictures", description=__doc__)
    parser.add_argument("--router", default="frr")
    parser.add_argument("--place", type=Path, default=PLACE)
    asked = parser.parse_args(words)
    asked.place.mkdir(parents=True, exist_ok=True)
    for name, story in (("restart", restart), ("drain", drain)):
        with labs.running(asked.router, nodes=2) as lab:
            told = story(lab)
        (asked.place / f"{name}.svg").write_text(svg(told))
        print(f"{asked.place / name}.svg: {len(told.rows)} lines")


if __name__ == "__main__":
    main(sys.argv[1:])
