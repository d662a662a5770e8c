"""A command that ends something makes nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from bgpctl.speaker.standalone import stop_engine


def test_an_engine_that_was_never_there_leaves_no_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for given, node in ((tmp_path / "mistyped", ""), (None, "nobody")):
        assert "there is no such directory" in stop_engine(given, node, leave=False)
    assert list(tmp_path.iterdir()) == []
