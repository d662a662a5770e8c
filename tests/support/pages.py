"""The pages that people read: README.md, CHANGELOG.md and docs/, as Markdown that a code host shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md")))

_FENCE = re.compile(r"^```.*?^```", re.M | re.S)
_LINK = re.compile(r"(?<!!)\[(?:[^]\[]|\[[^]]*\])*\]\(([^)\s]+)\)")
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(text: str) -> str:
    """Without its fenced blocks."""
    return _FENCE.sub("", text)


def links(text: str) -> Iterator[str]:
    """The target of every link outside of code."""
    yield from _LINK.findall(re.sub(r"`[^`\n]*`", "", prose(text)))


def anchors(text: str) -> frozenset[str]:
    """Of every heading, as GitHub makes it: lower case, no punctuation, hyphens for blanks; one that is there
    already gets a number."""
    found: dict[str, int] = {}
    for title in re.findall(r"^#{1,6} +(.*)$", prose(text), re.M):
        shown = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title).replace("`", "").replace("*", "")
        slug = re.sub(r"[^\w\- ]", "", shown.strip().lower()).replace(" ", "-")
        found[slug] = found.get(slug, -1) + 1
    return frozenset(f"{slug}-{n}" if n else slug for slug, most in found.items() for n in range(most + 1))


def blocks(text: str, language: str) -> Iterator[str]:
    """The fenced blocks of one language."""
    yield from (body for word, body in _BLOCK.findall(text) if word == language)


def section(text: str, title: str) -> str:
    """What stands below a heading, up to the next one of its level or above."""
    head = re.search(rf"^(#+) {re.escape(title)}$", text, re.M)
    assert head, f"no heading {title!r}"
    rest = text[head.end() :]
    end = re.search(rf"^#{{1,{len(head[1])}}} ", rest, re.M)
    return rest[: end.start()] if end else rest


def typed(text: str) -> Iterator[str]:
    """The `bgpctl …` command lines of the console blocks: without comment and prompt, continued lines joined;
    `a && b` are two."""
    for block in blocks(text, "console"):
        for line in block.replace("\\\n", " ").splitlines():
            words = _uncommented(line.removeprefix("$ ")) if line.startswith("$ ") else ""
            for one in re.split(r" && | \| ", words):
                bare = re.sub(r"^(sudo|kubectl)\s+(?=bgp)|^source <\(|\)$", "", one.strip())
                if re.match(r"bgpctl\b|bgp ", bare):
                    yield bare


def _uncommented(line: str) -> str:
    """Up to a # that begins a word and is not quoted."""
    quote = ""
    for at, char in enumerate(line):
        if char in "'\"" and quote in ("", char):
            quote = "" if quote else char
        elif char == "#" and not quote and (at == 0 or line[at - 1] == " "):
            return line[:at]
    return line
