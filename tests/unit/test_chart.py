"""The chart and the kustomize base: what Helm itself makes of the templates is what `bgpctl install` prints,
and everything that is written by `python -m tests.manifests` is as it would write it now."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bgpctl.install.manifests import manifests
from bgpctl.install.rights import EXTRAS
from bgpctl.install.settings import SETTINGS, Options, options
from tests import manifests as written
from tests.manifests import BASE, CHART, NOT_IN_CHART
from tests.unit.test_install_manifests import BAD, CHOICES

charts = pytest.importorskip("helm_python.chart")

Document = dict[str, Any]
Key = tuple[str, str, str]


def key(document: Document) -> Key:
    meta = document["metadata"]
    return document["kind"], meta.get("namespace", ""), meta["name"]


def printed(chosen: Options) -> dict[Key, Document]:
    found = (one.document for one in manifests(chosen))
    return {key(one): one for one in found if one["kind"] not in ("Namespace", "CustomResourceDefinition")}


def values(chosen: Options) -> Document:
    found = {name: value for name, value in chosen.values.items() if name not in NOT_IN_CHART}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


@pytest.fixture(scope="module")
def chart() -> Iterator[Any]:
    with charts.Chart.load(CHART) as found:
        yield found


def rendered(chart: Any, chosen: Options) -> dict[Key, Document]:
    texts = chart.render(values=values(chosen), name="bgpctl", namespace=chosen.namespace)
    documents = (one for text in texts.values() for one in yaml.safe_load_all(text) if one)
    return {key(one): one for one in documents}


@pytest.mark.parametrize("given_", CHOICES.values(), ids=CHOICES)
@pytest.mark.parametrize("namespace", ["bgpctl-system", "bgp"])
def test_helm_makes_the_same_objects(chart: Any, given_: tuple[str, ...], namespace: str) -> None:
    chosen = options(namespace, given_)
    expected, found = printed(chosen), rendered(chart, chosen)
    assert found.keys() == expected.keys()
    for name, document in expected.items():
        assert found[name] == document, name


NAMES = st.lists(st.from_regex(r"[a-z]([-a-z0-9]{0,10}[a-z0-9])?", fullmatch=True), unique=True, max_size=3)
SUBJECTS = st.lists(
    st.sampled_from(("user:anna", "user:a@b.example", "group:sre", "serviceaccount:ci/drainer")), unique=True
)
WORDS = {
    "image": st.sampled_from(("bgpctl:1", "registry.example:5000/a/b:v1", f"x@sha256:{'0' * 64}")),
    "directory": st.sampled_from(("/var/lib/bgpctl", "/srv")),
    "listen": st.sampled_from(
        (":9180", "127.0.0.1:9", "[::1]:9180", "0.0.0.0:80", "[::]:65535", "192.0.2.1:1")
    ),
    "gracefulShutdownSoak": st.sampled_from(("0s", "0", "5s", "1m30s")),
    "authSecretsNamespace": st.sampled_from(("kube-system", "secrets")),
    "nodeSelector": st.sampled_from(("a=b", "a=b,c/d=e", "a=", "")),
    "authSecrets": NAMES.map(",".join),
    "imagePullSecrets": NAMES.map(",".join),
    "readers": SUBJECTS.map(",".join),
    "nodeOperators": SUBJECTS.map(",".join),
    "extras": st.lists(st.sampled_from(sorted(EXTRAS)), unique=True).map(",".join),
    "cpuRequest": st.sampled_from(("1", "250m")),
    "memoryRequest": st.sampled_from(("16Mi", "64Mi")),
    "memoryLimit": st.sampled_from(("64Mi", "1Gi")),
}


def texts_of(name: str) -> st.SearchStrategy[str]:
    setting = SETTINGS[name]
    if setting.kind == "flag":
        return st.sampled_from(("true", "false"))
    return WORDS[name] if name in WORDS else st.sampled_from(setting.choices)


CHOSEN = st.fixed_dictionaries(
    {}, optional={name: texts_of(name) for name in SETTINGS if name not in NOT_IN_CHART}
)


@settings(max_examples=40, deadline=None)
@given(chosen=CHOSEN)
def test_whatever_is_chosen(chosen: dict[str, str]) -> None:
    given_ = options("bgp", [f"{name}={text}" for name, text in chosen.items()])
    with charts.Chart.load(CHART) as found:
        found.validate_schema(values(given_))
        assert rendered(found, given_) == printed(given_)


def test_helm_lints_it() -> None:
    told = charts.lint(CHART, strict=True, namespace="bgpctl-system")
    assert not told["errors"]
    assert {one["error"] for one in told["messages"]} <= {"icon is recommended"}


def test_its_definitions_are_those_of_an_install() -> None:
    found = [yaml.safe_load(path.read_text()) for path in sorted((CHART / "crds").iterdir())]
    ours = [one.document for one in manifests(options()) if one.kind == "CustomResourceDefinition"]
    assert [(one["metadata"]["name"], one["spec"]) for one in found] == [
        (one["metadata"]["name"], one["spec"]) for one in ours
    ]


# Of these a regular expression cannot tell, or the shell's text cannot be a value of a chart.
TOLD_BY_INSTALL = (
    *("no key", "no value", "a soak that is none", "no port", "a port too far", "a host by name"),
    *("a limit below", "more asked for"),  # of two values, one alone is right
)
NOT_BY_PATTERN = ("digits of another script", "a directory", "the root", "an endless value")


@pytest.mark.parametrize("name", [n for n in BAD if not n.startswith((*TOLD_BY_INSTALL, *NOT_BY_PATTERN))])
def test_the_schema_refuses_what_install_refuses(chart: Any, name: str) -> None:
    key_, _, text = BAD[name].partition("=")
    setting = SETTINGS.get(key_)
    value: Any = text.split(",") if setting and setting.kind == "words" else text
    with pytest.raises(Exception, match=key_):
        chart.validate_schema({key_: value})


def test_everything_that_is_written_is_up_to_date() -> None:
    old = [path for path, text in written.everything() if not path.exists() or path.read_text() != text]
    assert not old, "python -m tests.manifests writes them"
    made = {path for path, _ in written.everything()}
    places = (BASE, CHART / "crds", CHART / "files")
    there = {path for place in places for path in place.rglob("*") if path.is_file()}
    assert not there - made, "nothing makes these any more"


def test_kubectl_builds_the_base() -> None:
    done = subprocess.run(["kubectl", "kustomize", str(BASE)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    found = {key(one): one for one in yaml.safe_load_all(done.stdout)}
    expected = {key(one.document): one.document for one in manifests(options())}
    assert found == expected


def test_the_version_is_ours() -> None:
    from bgpctl import __version__

    about = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (about["version"], about["appVersion"]) == (__version__, __version__)
    assert Path(CHART).name == about["name"]
