"""A command that ends something makes nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from bgpctl.exabgp import control
from bgpctl.speaker.standalone import stop_engine
from bgpctl.speaker.status import client


def test_an_engine_that_was_never_there_leaves_no_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for given, node in ((tmp_path / "mistyped", ""), (None, "nobody")):
        assert "there is no such directory" in stop_engine(given, node, leave=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("alive", [True, False])
def test_what_a_killed_speaker_left_alive_is_said(monkeypatch: pytest.MonkeyPatch, alive: bool) -> None:
    monkeypatch.setattr(control, "runs", lambda directory: alive)
    error = client._unanswered(Path("/d"), ConnectionRefusedError())
    assert ("its BGP engine lives on" in error.message) is alive
    assert error.hint == "start it with `bgpctl speaker run --node-name NODE`"
