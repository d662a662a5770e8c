"""Output that is compared with a file, as an operator would see it.

`BGPCTL_WRITE_GOLDEN=1 pytest …` writes the files anew; read the diff before committing it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from bgpctl.render.text import Line, plain

DIRECTORY = Path(__file__).resolve().parent.parent / "unit" / "golden"


def check_golden(name: str, lines: Iterable[Line]) -> None:
    """The plain text of `lines` is what the file `name` holds."""
    found = "".join(plain(line) + "\n" for line in lines)
    path = DIRECTORY / name
    if os.environ.get("BGPCTL_WRITE_GOLDEN"):
        path.write_text(found, encoding="utf-8")
    assert found.splitlines() == path.read_text(encoding="utf-8").splitlines()
