"""docs/confirmed.md names the test that shows each row of its table: they are there, under that name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bgpctl.cli.main import main
from bgpctl.cli.wire import probes_in, router_probes
from bgpctl.errors import UsageError
from bgpctl.kube.client import Client
from bgpctl.kube.config import load_access
from bgpctl.witness.probe import parse_probe

ROOT = Path(__file__).parents[2]


def test_every_named_test_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "confirmed.md").read_text()))
    text = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(named) > 10
    assert not {name for name in named if f"def {name}(" not in text}


def test_the_kubeconfig_that_names_routers_is_read(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "confirmed.md").read_text()
    (text,) = re.findall(r"```yaml\n(.*?)```", page, re.S)
    (tmp_path / "config").write_text(text)
    client = Client(load_access(str(tmp_path / "config"), None))
    probes = [parse_probe(probe) for probe in router_probes(client, ())]
    assert [(probe.kind, probe.peer) for probe in probes] == [("bird", "192.0.2.1"), ("gobgp", "192.0.2.2")]
    assert router_probes(client, ("frr",)) == ("frr",), "the command line goes before"
    assert router_probes(client, ("none",)) == (), "also to ask nobody"
    with pytest.raises(UsageError, match="asks no router, and another one names one"):
        router_probes(client, ("none", "frr"))
    extension = "the extension bgpctl.io/router-probes of the kubeconfig's context"
    assert probes_in((), router_probes(client, ())) == extension, "who typed none cannot correct the flag"
    assert probes_in(("frr",), ("frr",)) == "--router-probe"


def test_the_flags_help_tells_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ("node drain", "node restore", "speaker restart"):
        with pytest.raises(SystemExit):
            main((*words.split(), "--help"))
        assert "bgpctl.io/router-probes" in capsys.readouterr().out


def test_a_probe_of_the_kubeconfig_that_is_none_is_told_where_it_is(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "confirmed.md").read_text()
    (text,) = re.findall(r"```yaml\n(.*?)```", page, re.S)
    (tmp_path / "config").write_text(text.replace("bird=", "brid="))
    client = Client(load_access(str(tmp_path / "config"), None))
    with pytest.raises(UsageError, match=r"the kubeconfig's extension bgpctl.io/router-probes: 'brid="):
        router_probes(client, ())
