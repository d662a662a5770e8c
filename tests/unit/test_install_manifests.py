"""The objects of an install: what may be chosen and what may not, that real Kubernetes would take them, that
the admission policy lets a speaker write of its own node only, and that the text is always the same."""

from __future__ import annotations

import json
import re
from itertools import chain
from typing import Any

import pytest
import yaml

from bgpctl.core.preflight.rollout import chosen, rollout
from bgpctl.errors import UsageError
from bgpctl.install import admission
from bgpctl.install.manifests import KINDS, Manifest, manifests
from bgpctl.install.rights import EXTRAS
from bgpctl.install.settings import LONGEST, SETTINGS, Options, options, texts, typed
from bgpctl.render.manifests import listed, stream

Document = dict[str, Any]

ALL = (
    "authSecrets=a,b",
    "monitoring=true",
    "networkPolicy=true",
    "nodeOperators=user:anna,group:sre,serviceaccount:ci/drainer",
    "readers=group:everybody",
    f"extras={','.join(EXTRAS)}",
    "imagePullSecrets=pull",
    "besideAnotherStack=true",
    "gracefulShutdownSoak=5s",
)
CHOICES: dict[str, tuple[str, ...]] = {
    "the defaults": (),
    "all that there is": ALL,
    "own engine": ("engine=own",),
    "as root": ("runAsRoot=true", "engine=own"),
    "the least": ("crds=none", "admissionPolicy=false", "createNamespace=false"),
}


def made(*given: str, namespace: str = "bgpctl-system") -> tuple[Manifest, ...]:
    return manifests(options(namespace, given))


def one(kind: str, name: str, *given: str) -> Document:
    (found,) = (m.document for m in made(*given) if (m.kind, m.name) == (kind, name))
    return found


def pod(name: str, *given: str) -> Document:
    spec: Document = one("DaemonSet", name, *given)["spec"]["template"]["spec"]
    return spec


# --- real Kubernetes would take them


@pytest.mark.parametrize("version", ["1.30", "1.33", "1.37"])
@pytest.mark.parametrize("given", CHOICES.values(), ids=CHOICES)
def test_each_is_valid_by_the_schemas_of_kubernetes(given: tuple[str, ...], version: str) -> None:
    validate = pytest.importorskip("kubernetes_validate")
    seen = 0
    for found in made(*given):
        if found.kind not in ("PodMonitor", "PrometheusRule", "CustomResourceDefinition"):
            validate.validate(found.document, version, strict=True)
            seen += 1
    assert seen > 10


def test_the_schemas_would_have_seen_it() -> None:
    validate = pytest.importorskip("kubernetes_validate")
    bad = one("DaemonSet", "bgpctl-speaker")
    bad["spec"]["template"]["spec"]["hostNetworks"] = True
    with pytest.raises(validate.ValidationError):
        validate.validate(bad, "1.33", strict=True)


@pytest.mark.parametrize("given", CHOICES.values(), ids=CHOICES)
def test_every_kind_is_known_and_labelled_and_comes_once(given: tuple[str, ...]) -> None:
    found = made(*given)
    assert {m.kind for m in found} <= set(KINDS)
    assert all(m.document["metadata"]["labels"]["bgpctl.io/install"] == "bgpctl-system" for m in found)
    names = [(m.kind, m.namespace, m.name) for m in found]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("given", CHOICES.values(), ids=CHOICES)
def test_the_text_is_the_objects_and_always_the_same(given: tuple[str, ...]) -> None:
    text = stream(made(*given), "head")
    assert text == stream(made(*given), "head")
    assert [d for d in yaml.safe_load_all(text) if d] == [m.document for m in made(*given)]
    assert "&id" not in text and "*id" not in text
    assert json.loads(json.dumps(listed(made(*given))))["kind"] == "List"


def test_roles_are_bound_to_whom_they_name() -> None:
    subjects = one("ClusterRoleBinding", "bgpctl-node-operator", *ALL)["subjects"]
    group = "rbac.authorization.k8s.io"
    assert subjects == [
        {"apiGroup": group, "kind": "User", "name": "anna"},
        {"apiGroup": group, "kind": "Group", "name": "sre"},
        {"kind": "ServiceAccount", "name": "drainer", "namespace": "ci"},
    ]
    assert not [m for m in made() if m.name == "bgpctl-node-operator" and m.kind.endswith("Binding")]


# --- what the pods may


@pytest.mark.parametrize("name", ["bgpctl-speaker", "bgpctl-engine"])
def test_a_pod_may_as_little_as_possible(name: str) -> None:
    spec = pod(name)
    assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["runAsUser"] > 1000
    (container,) = spec["containers"]
    context = container["securityContext"]
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert context["readOnlyRootFilesystem"] and not context["allowPrivilegeEscalation"]
    (prepare,) = spec["initContainers"]
    assert prepare["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["CHOWN"]}
    assert spec["priorityClassName"] == "system-node-critical"
    assert spec["tolerations"] == [{"operator": "Exists"}]


def test_a_port_below_1024_needs_root_and_one_capability() -> None:
    (container,) = pod("bgpctl-engine", "runAsRoot=true")["containers"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}
    (container,) = pod("bgpctl-speaker", "runAsRoot=true")["containers"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_the_engine_has_no_token() -> None:
    assert pod("bgpctl-engine")["automountServiceAccountToken"] is False


def test_of_secrets_only_those_that_are_named() -> None:
    rules = list(chain.from_iterable(m.document.get("rules") or () for m in made(*ALL)))
    about = [rule for rule in rules if "secrets" in rule["resources"]]
    assert [rule["resourceNames"] for rule in about] == [["a", "b"]]
    (container,) = pod("bgpctl-speaker")["containers"]
    at = container["args"].index("--auth-secrets")
    assert container["args"][at + 1] == "", "none is read where none is named"
    rules = list(chain.from_iterable(m.document.get("rules") or () for m in made()))
    assert not [rule for rule in rules if "secrets" in rule["resources"]]


def test_no_rule_has_a_star() -> None:
    rules = list(chain.from_iterable(m.document.get("rules") or () for m in made(*ALL)))
    assert rules and "*" not in json.dumps(rules)


def test_a_probe_asks_where_the_speaker_listens() -> None:
    (container,) = pod("bgpctl-speaker", "listen=127.0.0.1:9999")["containers"]
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": 9999, "host": "127.0.0.1"}


# --- an upgrade of the speaker touches no session


def test_speaker_upgrade_gives_the_image_to_the_speaker_alone() -> None:
    speakers = rollout(one("DaemonSet", "bgpctl-speaker"))
    assert [c.name for c in chosen(speakers, "registry.example/bgpctl:2")] == ["speaker"]
    assert speakers.strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}
    assert speakers.labels["bgpctl.io/engine"] == "apart"
    assert one("DaemonSet", "bgpctl-engine")["spec"]["updateStrategy"] == {"type": "OnDelete"}


def test_with_an_engine_of_its_own_the_pod_says_nothing_of_it() -> None:
    assert "bgpctl.io/engine" not in rollout(one("DaemonSet", "bgpctl-speaker", "engine=own")).labels


def test_the_command_line_of_a_pod_is_one_of_ours() -> None:
    """What is written there, the real parser takes."""
    from tests.support.cli import bgpctl

    for name in ("bgpctl-speaker", "bgpctl-engine"):
        spec = pod(name, *ALL)
        for container in (*spec["initContainers"], *spec["containers"]):
            ran = bgpctl(*container["args"], "--help", NODE_NAME="n")
            assert (ran.code, ran.err) == (0, ""), container["name"]
    ran = bgpctl("speaker", "run", "--in-cluster", "--no-such-flag")
    assert ran.code == 2, "the parser would have said so"


# --- whose BGPNodeState a speaker may write

NODE, OTHER = "worker-1", "worker-2"
CLAIM = {admission.CLAIM: [NODE]}
WRITES: dict[str, tuple[str, str, Document | None, bool]] = {
    "its own": ("UPDATE", NODE, CLAIM, True),
    "its own, made": ("CREATE", NODE, CLAIM, True),
    "its own, deleted": ("DELETE", NODE, CLAIM, True),
    "another's": ("UPDATE", OTHER, CLAIM, False),
    "another's, made": ("CREATE", OTHER, CLAIM, False),
    "another's, deleted": ("DELETE", OTHER, CLAIM, False),
    "a token that tells no node": ("UPDATE", NODE, {"other": ["x"]}, False),
    "no extra at all": ("UPDATE", NODE, None, False),
}


@pytest.mark.parametrize(("operation", "name", "extra", "good"), WRITES.values(), ids=WRITES)
def test_a_speaker_writes_of_its_own_node(
    operation: str, name: str, extra: Document | None, good: bool
) -> None:
    celpy = pytest.importorskip("celpy")
    state = {"metadata": {"name": name}}
    user: Document = {"username": "system:serviceaccount:bgpctl-system:bgpctl-speaker"}
    request = {
        "operation": operation,
        "userInfo": {**user, **({"extra": extra} if extra is not None else {})},
    }
    gone = operation == "DELETE"
    policy = one("ValidatingAdmissionPolicy", admission.NAME)["spec"]
    assert evaluated(celpy, policy["matchConditions"][0]["expression"], request, state, gone) is True
    assert evaluated(celpy, policy["validations"][0]["expression"], request, state, gone) is good


def test_others_are_not_held_to_it() -> None:
    celpy = pytest.importorskip("celpy")
    (condition,) = one("ValidatingAdmissionPolicy", admission.NAME)["spec"]["matchConditions"]
    request = {"operation": "UPDATE", "userInfo": {"username": "anna"}}
    assert evaluated(celpy, condition["expression"], request, {"metadata": {"name": NODE}}, False) is False


def evaluated(celpy: Any, expression: str, request: Document, state: Document, gone: bool) -> bool:
    environment = celpy.Environment()
    program = environment.program(environment.compile(expression))
    given = {"request": request, "object": None if gone else state, "oldObject": state if gone else None}
    return bool(program.evaluate({key: celpy.json_to_cel(value) for key, value in given.items()}))


# --- what may be chosen


def test_what_was_chosen_can_be_typed_again() -> None:
    first = options("here", ALL)
    assert options("here", tuple(texts(first))) == first
    assert tuple(texts(options())) == ()
    assert all(SETTINGS[key].read(typed(SETTINGS[key].default)) == SETTINGS[key].default for key in SETTINGS)


BAD = {
    "no key": "=x",
    "no value": "logLevel",
    "unknown": "replicas=3",
    "another case": "loglevel=debug",
    "not a choice": "logLevel=loud",
    "not a flag": "monitoring=yes",
    "an image with a space": "image=a b",
    "an image with a line": "image=a\nprivileged: true",
    "an image that is an option": "image=--privileged",
    "a directory that is none": "directory=../etc",
    "a directory that climbs": "directory=/var/lib/../../etc",
    "the root": "directory=/",
    "no port": "listen=:0",
    "a port too far": "listen=:65536",
    "a host by name": "listen=localhost:1",
    "digits of another script": "listen=:٩١٨٠",
    "a secret with a slash": "authSecrets=a,b/c",
    "a secret with a star": "authSecrets=*",
    "a subject of no kind": "readers=anna",
    "a subject with a line": "readers=user:a\nb",
    "an extra that is none": "extras=everything",
    "an endless value": "image=" + "a" * (LONGEST + 1),
    "a quantity in words": "memoryLimit=much",
    "a limit below what is asked for": "memoryLimit=60M",
    "more asked for than the limit": "memoryRequest=1Gi",
    "a soak that is none": "gracefulShutdownSoak=long",
    "a selector without a value": "nodeSelector=os",
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_what_does_not_fit_is_refused_in_one_message(text: str) -> None:
    with pytest.raises(UsageError) as told:
        options(given=[text])
    assert told.value.message.startswith("--set") and told.value.hint
    assert "\n" not in told.value.message


@pytest.mark.parametrize("name", ["", "A", "a_b", "-a", "a.b", "a" * 64, "a/b", "a\n"])
def test_a_namespace_is_a_name(name: str) -> None:
    with pytest.raises(UsageError):
        options(name)


def test_the_last_of_a_key_counts() -> None:
    assert options(given=["logLevel=debug", "logLevel=error"])["logLevel"] == "error"


def test_names_of_kube_system_are_never_made() -> None:
    assert not [m for m in made(namespace="kube-system") if m.kind == "Namespace"]


def test_every_setting_is_used() -> None:
    """Each changes an object, but for those that only say what is made."""

    def text(given: Options) -> str:
        return stream(manifests(given), "")

    other = {
        "image": "registry.example/b:1",
        "imagePullPolicy": "Always",
        "imagePullSecrets": "x",
        "directory": "/srv/bgp",
        "listen": ":1234",
        "authSecretsNamespace": "x",
        "gracefulShutdownSoak": "3s",
        "logFormat": "text",
        "logLevel": "debug",
        "nodeSelector": "a=b",
        "cpuRequest": "1",
        "memoryRequest": "128Mi",
        "memoryLimit": "1Gi",
        "extras": "metrics",
        "readers": "user:a",
        "nodeOperators": "user:a",
        "authSecrets": "x",
        "crds": "own",
        "engine": "own",
    }
    for key, setting in SETTINGS.items():
        value = other.get(key) or ("false" if setting.default else "true")
        assert text(options(given=[f"{key}={value}"])) != text(options()), key
    assert re.fullmatch(r"[a-zA-Z]+", "".join(SETTINGS))
