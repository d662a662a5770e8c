"""`speaker engine prepare`: a directory is made for another user, and nothing else is given away."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bgpctl.errors import UsageError
from bgpctl.speaker.places import give
from tests.support.cli import bgpctl

UID = 65532
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


def test_it_is_made_and_theirs_alone(tmp_path: Path) -> None:
    place = tmp_path / "node" / "speaker"
    for _ in range(2):
        give(place, UID)
        assert (place.stat().st_uid, place.stat().st_gid, place.stat().st_mode & 0o777) == (UID, UID, 0o700)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Whoever had the directory before could have put one there."""
    target = tmp_path / "root's"
    target.mkdir()
    (tmp_path / "speaker").symlink_to(target)
    with pytest.raises(UsageError):
        give(tmp_path / "speaker", UID)
    assert target.stat().st_uid == 0


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "speaker").write_text("")
    with pytest.raises(UsageError):
        give(tmp_path / "speaker", UID)
    assert (tmp_path / "speaker").stat().st_uid == 0


@pytest.mark.parametrize("user", ["0", "-1", "root", str(2**40)])
def test_to_whom(tmp_path: Path, user: str) -> None:
    ran = bgpctl("speaker", "engine", "prepare", "--directory", str(tmp_path / "x"), "--user", user)
    assert ran.code == 2 and not (tmp_path / "x").exists()
