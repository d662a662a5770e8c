"""Which lab's speakers a hint may name: those of the kubeconfig that is asked with, and no other's."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from bgpctl.cli.flags import Given
from bgpctl.cli.logs import _of_a_lab as logs_hint
from bgpctl.cli.speaker import _of_a_lab as status_hint
from bgpctl.errors import UsageError
from bgpctl.lab import cluster, place
from bgpctl.speaker.places import STATUS_SOCKET


@pytest.fixture
def labs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two labs with nodes of the same names; the second is the newest."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    root = place._root()
    for name in ("127.64.1.0", "127.64.2.0"):
        speaker = root / name / "worker-1"
        speaker.mkdir(parents=True)
        (speaker / STATUS_SOCKET).touch()
        authority = root / name / place.AUTHORITY
        (root / name / "kubeconfig").write_text(f"certificate-authority: {authority}\n")
    return root


def test_the_lab_is_the_one_of_the_kubeconfig(labs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for lab in labs.iterdir():
        kube = Given(kubeconfig=str(lab / "kubeconfig"))
        assert str(lab / "worker-1") in status_hint(kube)
        assert f"--file {lab / 'worker-1' / 'speaker.log'}" in logs_hint(kube, ())
        assert logs_hint(kube, ("worker-9",)) == ""
        monkeypatch.setenv("KUBECONFIG", f"/nowhere:{lab / 'kubeconfig'}")
        assert str(lab / "worker-1") in status_hint(Given())


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("", "is a directory"),
        ("there", "exists already"),
        ("dangling", "exists already"),
        ("missing/kubeconfig", "is no directory"),
    ],
)
def test_where_no_kubeconfig_can_be_written_nothing_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, complaint: str
) -> None:
    (tmp_path / "there").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(cluster, "make", lambda _: pytest.fail("it was begun"))
    with pytest.raises(UsageError, match=complaint), cluster.running(kubeconfig=tmp_path / name):
        pass
    place.refuse(tmp_path / "fresh")


def test_a_kubeconfig_of_no_lab_has_no_speakers_here(labs: Path, tmp_path: Path) -> None:
    other = tmp_path / "config"
    other.write_text("server: https://192.0.2.1:6443\n")
    for kube in (Given(kubeconfig=str(other)), Given(kubeconfig="/nowhere")):
        assert status_hint(kube) == logs_hint(kube, ()) == ""
