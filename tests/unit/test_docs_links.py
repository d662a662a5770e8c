"""Every link of README.md, CHANGELOG.md and docs/ leads somewhere, and the README leads to every page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.pages import PAGES, ROOT, anchors, links, name, prose, section


def targets(page: Path) -> list[tuple[str, Path, str]]:
    """(as written, the file, the anchor) of each relative link."""
    found = []
    for link in links(page.read_text()):
        if not link.startswith(("http://", "https://", "mailto:")):
            path, _, anchor = link.partition("#")
            found.append((link, (page.parent / path).resolve() if path else page, anchor))
    return found


def broken(page: Path) -> list[str]:
    return [link for link, file, anchor in targets(page) if not _leads(file, anchor)]


def _leads(file: Path, anchor: str) -> bool:
    return file.exists() and (not anchor or (file.suffix == ".md" and anchor in anchors(file.read_text())))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert not broken(page)


def test_a_link_that_leads_nowhere_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    text = "# A *b* `c`, d\n[x](#a-b-c-d) [y](#none) [z](gone.md) [`w`](page.md#a)\n"
    page.write_text(f"{text}```\n[v](no.md)\n```\n")
    assert broken(page) == ["#none", "gone.md", "page.md#a"]


def test_every_page_is_found_from_the_readme() -> None:
    seen, left = set[Path](), [ROOT / "README.md"]
    while left:
        page = left.pop()
        seen.add(page)
        left += [f for _, f, _ in targets(page) if f.suffix == ".md" and f.exists() and f not in seen]
    assert not [name(page) for page in PAGES if page not in seen]


def test_the_readme_is_a_first_screen() -> None:
    readme = (ROOT / "README.md").read_text()
    assert len(readme.splitlines()) <= 170
    for word in ("Works with", "Replaces", "It is not"):
        assert f"**{word}**" in readme.partition("## ")[0]
    assert "| bgpctl's speaker |" in section(readme, "The stacks")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_row_of_a_table_has_its_columns(page: Path) -> None:
    """A | within a cell, or one too few, and a code host shows another table than was written."""
    for table in re.findall(r"(?:^\|.*\n)+", prose(page.read_text()), re.M):
        assert len({row.count("|") - row.count(r"\|") for row in table.splitlines()}) == 1, table
