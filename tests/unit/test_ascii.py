"""What is printed where the output is no UTF-8: a range stays a range."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import bgpctl
from bgpctl.cli.ascii import HANDLER, SIGNS, in_ascii


def test_our_signs_have_an_ascii_each() -> None:
    assert "0 s–2m5s … — 4 µs ✓ ü\U0001f600".encode("ascii", HANDLER) == b"0 s-2m5s ... - 4 us + ??"
    assert "0 s–5 s ü".encode("latin-1", HANDLER) == b"0 s-5 s \xfc"


def test_what_is_no_fault_of_encoding_stays_one() -> None:
    with pytest.raises(UnicodeDecodeError):
        in_ascii(UnicodeDecodeError("ascii", b"x", 0, 1, "no"))


def test_every_sign_that_we_print_is_known() -> None:
    here = Path(bgpctl.__file__).parent
    printed = "".join(path.read_text() for part in ("render", "core") for path in (here / part).rglob("*.py"))
    assert set(re.findall(r"[^\x00-\x7f]", printed)) <= set(SIGNS)
