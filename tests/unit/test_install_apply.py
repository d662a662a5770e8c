"""`install --apply` and `uninstall` against the embedded API: what is made, left alone, pruned and taken
away; two at once, one that was killed, and somebody without a right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest

from bgpctl.core.preflight.rollout import ANNOTATION
from bgpctl.install.labels import INSTALL, MANAGED, MANAGER
from bgpctl.install.rights import INSTALL_RIGHTS, Right
from bgpctl.kube import lease
from bgpctl.lab.api.requests import Answer
from tests.support import direct
from tests.support.direct import Asked
from tests.support.rights import Person, cluster, without

APPLY = ("install", "--apply")
GOING = ("uninstall", "--yes", "--withdraw-routes")
LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/bgpctl-install"
SETS = "/apis/apps/v1/namespaces/bgpctl-system/daemonsets"
ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"


@pytest.fixture
def admin() -> Iterator[Person]:
    with cluster() as rig:
        person = Person(rig)
        person.give([Right(("*",), "*", ("*",), "all")])
        yield person


def ours(admin: Person) -> list[str]:
    """Every object with the labels of an install."""
    server = admin.rig.server
    resources = {(one.group, one.plural): one for one in server.registry.all() if not one.custom}
    found = [document for one in resources for document in _all(admin, one)]
    return sorted(
        f"{document.get('kind')} {document['metadata']['name']}"
        for document in found
        if (document["metadata"].get("labels") or {}).get(MANAGED) == MANAGER
    )


def _all(admin: Person, key: tuple[str, str]) -> list[dict[str, Any]]:
    return [stored.document for stored in admin.rig.server.store.all(key)[0]]


def test_there_again_and_gone(admin: Person) -> None:
    code, text = admin.types(*APPLY)
    assert code == 0, text
    assert "created    DaemonSet bgpctl-system/bgpctl-speaker" in text
    assert "now: bgpctl peers status" in text
    first = ours(admin)
    versions = {
        path: admin.rig.admin.get(path)["metadata"]["resourceVersion"] for path in (f"{SETS}/bgpctl-speaker",)
    }
    code, text = admin.types(*APPLY)
    assert (code, ours(admin)) == (0, first)
    assert "created" not in text and "changed " not in text.replace("unchanged ", "")
    for path, version in versions.items():
        assert admin.rig.admin.get(path)["metadata"]["resourceVersion"] == version, "nothing was written"
    code, text = admin.types(*GOING)
    assert code == 0, text
    assert all(one.startswith(("CustomResourceDefinition", "Namespace")) for one in ours(admin))
    assert "kept       namespace bgpctl-system: kubectl delete namespace bgpctl-system" in text
    code, text = admin.types(*GOING)
    assert (code, text.strip()) == (0, "0 objects: nothing to do")


def test_a_dry_run_changes_nothing(admin: Person) -> None:
    before = admin.rig.server.store.version
    code, text = admin.types("install", "--dry-run")
    assert code == 0 and "created    DaemonSet" in text and "nothing was changed" in text
    assert admin.rig.server.store.version == before


def out_of_service(admin: Person) -> None:
    """No node announces."""
    admin.rig.label("false")
    admin.rig.speak()


def test_engines_that_announce_are_not_pruned(admin: Person) -> None:
    """`install --engine own` took every engine of the cluster away at once, with all sessions, and exit 0."""
    admin.types(*APPLY)
    before = admin.rig.server.store.version
    for more in ("--apply", "--dry-run"):
        code, text = admin.types("install", "--engine", "own", more)
        words = " ".join(text.split())
        assert code == 3 and "DaemonSet bgpctl-system/bgpctl-engine would go from all nodes at once" in words
        assert "routes are announced by worker-1 (6 routes)" in words
        assert "bgpctl uninstall --namespace bgpctl-system --withdraw-routes --yes and then this" in words
    assert admin.rig.server.store.version == before, "nothing was changed"
    assert admin.types(*APPLY, "--set", "image=r.example/b:2")[0] == 0, "no engine goes"


def test_a_node_selector_takes_no_speaker_from_a_node_that_announces(admin: Person) -> None:
    admin.types(*APPLY)
    before = admin.rig.server.store.version
    code, text = admin.types(*APPLY, "--set", "nodeSelector=rack=7")
    words = " ".join(text.split())
    assert code == 3 and "the speakers would go from nodes that nodeSelector leaves out" in words
    assert "routes are announced by worker-1 (6 routes)" in words
    assert admin.rig.server.store.version == before, "nothing was changed"
    assert admin.types(*APPLY, "--set", "nodeSelector=enable-bgp=true")[0] == 0, "it has that label"
    assert admin.types(*APPLY, "--set", "nodeSelector=")[0] == 0, "on every node"
    out_of_service(admin)
    assert admin.types(*APPLY, "--set", "nodeSelector=rack=7")[0] == 0


def test_what_this_install_does_not_want_any_more_is_pruned(admin: Person) -> None:
    out_of_service(admin)
    admin.types(*APPLY, "--set", "networkPolicy=true", "--set", "authSecrets=one")
    code, text = admin.types(*APPLY, "--engine", "own")
    assert code == 0, text
    pruned = {line.split("  ")[1].strip() for line in _lines(text, "pruned")}
    assert pruned == {
        "ServiceAccount bgpctl-system/bgpctl-engine",
        "NetworkPolicy bgpctl-system/bgpctl",
        "DaemonSet bgpctl-system/bgpctl-engine",
        "Role kube-system/bgpctl-speaker-secrets",
        "RoleBinding kube-system/bgpctl-speaker-secrets",
    }
    assert admin.rig.admin.find(f"{SETS}/bgpctl-engine") is None


def _lines(text: str, verb: str) -> list[str]:
    return [
        line.replace(verb, "", 1).strip().join(("  ", ""))
        for line in text.splitlines()
        if line.startswith(verb)
    ]


FOREIGN = {
    "labels": {},
    "of Helm": {"app.kubernetes.io/managed-by": "Helm"},
    "half of ours": {MANAGED: MANAGER},
    "the other half": {INSTALL: "bgpctl-system"},
}


@pytest.mark.parametrize("labels", FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_object_of_the_same_name_is_neither_taken_over_nor_deleted(
    admin: Person, labels: dict[str, str]
) -> None:
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "rules": []}
    admin.rig.server.apply({**role, "metadata": {"name": "bgpctl-reader", "labels": labels}})
    before = admin.rig.admin.get(f"{ROLES}/bgpctl-reader")
    writes = admin.rig.server.store.version
    code, text = admin.types(*APPLY)
    assert code == 3
    assert "ClusterRole bgpctl-reader exists, and no bgpctl install made it" in text
    assert admin.rig.server.store.version == writes, "nothing was changed"
    admin.types(*GOING)
    assert admin.rig.admin.get(f"{ROLES}/bgpctl-reader") == before


def test_another_install_is_left_alone(admin: Person) -> None:
    assert admin.types(*APPLY, "-n", "elsewhere")[0] == 0
    before = ours(admin)
    code, text = admin.types(*APPLY)
    assert code == 3
    assert "belongs to the install in namespace elsewhere" in text
    assert admin.types(*GOING)[0] == 0
    assert ours(admin) == before, "an uninstall of one namespace touches no other"


def test_ciliums_own_definitions_stay(admin: Person) -> None:
    code, text = admin.types(*APPLY)
    assert code == 0
    assert "kept       CustomResourceDefinition ciliumbgppeerconfigs.cilium.io" in text


def test_definitions_that_are_missing_are_made(admin: Person) -> None:
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    admin.rig.admin.delete(f"{crds}/ciliumbgppeerconfigs.cilium.io")
    code, text = admin.types(*APPLY)
    assert code == 0
    assert "created    CustomResourceDefinition ciliumbgppeerconfigs.cilium.io" in text
    code, text = admin.types(*APPLY)
    assert "unchanged  CustomResourceDefinition ciliumbgppeerconfigs.cilium.io" in text


def test_a_namespace_that_is_there_is_left_as_it_is(admin: Person) -> None:
    admin.rig.server.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "bgpctl-system"}})
    code, text = admin.types(*APPLY)
    assert code == 0 and "kept       Namespace bgpctl-system" in text


def test_a_field_that_somebody_else_set_is_named(admin: Person) -> None:
    admin.types(*APPLY)
    taken = {"apiVersion": "apps/v1", "kind": "DaemonSet", "spec": {"updateStrategy": {"type": "OnDelete"}}}
    path = f"{SETS}/bgpctl-speaker"
    admin.rig.admin.patch(path, taken, "apply", fieldManager="argocd", force="true")
    code, text = admin.types(*APPLY)
    assert code == 3
    assert ".spec.updateStrategy.type" in text and '"argocd"' in text
    code, text = admin.types(*APPLY, "--force-conflicts")
    assert code == 0
    assert admin.rig.admin.get(path)["spec"]["updateStrategy"]["type"] == "RollingUpdate"


def test_an_upgrade_is_not_disturbed(admin: Person) -> None:
    admin.types(*APPLY)
    path = f"{SETS}/bgpctl-speaker"
    admin.rig.admin.patch(path, {"metadata": {"annotations": {ANNOTATION: "{}"}}})
    code, text = admin.types(*APPLY, "--set", "logLevel=debug")
    assert code == 3 and "DaemonSet bgpctl-system/bgpctl-speaker is being upgraded" in text


# --- two at once, and one that is killed ------------------------------------------------------------------


def test_two_at_once(admin: Person) -> None:
    told = []

    def other(asked: Asked) -> Answer | None:
        if asked.verb == "patch" and not told:
            told.append((0, ""))  # this request is the other's own
            told[0] = admin.types(*APPLY, "--engine", "own")
        return None

    wire = admin.wire
    admin.wire = lambda: direct.Wire(admin.rig.api, user=wire().user, before=other)  # type: ignore[method-assign]
    code, text = admin.types(*APPLY)
    assert code == 0, text
    assert told[0][0] == 3
    assert "another install or uninstall is at work: " in told[0][1]
    assert admin.rig.admin.find(LEASE) is None


@pytest.mark.parametrize("writes", range(1, 17))
def test_killed_after_any_write_it_is_finished_by_the_next(admin: Person, writes: int) -> None:
    left = [writes]

    def dies(asked: Asked) -> Answer | None:
        left[0] -= asked.writes
        if left[0] < 0:
            raise direct.lost()
        return None

    wire = admin.wire
    admin.wire = lambda: direct.Wire(admin.rig.api, user=wire().user, before=dies)  # type: ignore[method-assign]
    code, text = admin.types(*APPLY)
    assert code == 1, text
    assert "Traceback" not in text and "bug" not in text
    admin.wire = wire  # type: ignore[method-assign]
    admin.rig.clock.at += 31.0  # what it held ends by itself
    assert admin.types(*APPLY)[0] == 0
    assert "DaemonSet bgpctl-speaker" in ours(admin)
    assert admin.rig.admin.find(LEASE) is None


def test_who_took_over_stops_the_first(admin: Person) -> None:
    """Its Lease ran out while it slept."""
    seen = []

    def sleeps(asked: Asked) -> Answer | None:
        if asked.verb == "patch":
            seen.append(asked)
            if len(seen) == 3:
                admin.rig.admin.delete(LEASE)
        return None

    wire = admin.wire
    admin.wire = lambda: direct.Wire(admin.rig.api, user=wire().user, before=sleeps)  # type: ignore[method-assign]
    with mock.patch("bgpctl.install.hold.RENEW_EVERY", 0.0):
        code, text = admin.types(*APPLY)
    assert code == 3 and "another install or uninstall took over" in text
    assert len(seen) == 3


# --- who may not ------------------------------------------------------------------------------------------


EACH = [
    pytest.param(right, id=right.words.replace(" ", "-")) for row in INSTALL_RIGHTS for right in row.each()
]


def course(person: Person) -> list[tuple[int, str]]:
    """There, changed, and gone; one was killed at it before, and a definition is missing."""
    crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/ciliumbgppeerconfigs.cilium.io"
    person.rig.admin.delete(crd)
    left = lease.document("bgpctl-install", "a@b:1/c", "2020-01-01T00:00:00.000000Z", version=None)
    person.rig.admin.create(LEASE.rpartition("/")[0], left)
    person.rig.clock.at += 60.0
    first = person.types(*APPLY)
    kept = person.types(*APPLY, "--set", "nodeSelector=enable-bgp=true")  # a node that announces has that
    out_of_service(person)
    return [
        max(first, kept),
        person.types(*APPLY, "--engine", "own", "--set", "admissionPolicy=false"),
        person.types(*GOING),
    ]


@pytest.mark.parametrize("right", EACH)
def test_without_any_right_it_is_named(right: Right) -> None:
    with cluster() as rig:
        person = Person(rig)
        person.give(without(INSTALL_RIGHTS, right))
        told = course(person)
    codes, text = [code for code, _ in told], "\n".join(text for _, text in told)
    assert person.refused, "nobody asked for it"
    if right.without:
        assert codes == [0, 0, 0]
        return
    assert {1, 3} & set(codes), text
    assert f'cannot {right.verbs[0]} resource "{right.resources[0]}"' in text
    assert "auth check --for install" in text


def test_with_just_these_it_installs_and_uninstalls() -> None:
    with cluster() as rig:
        person = Person(rig)
        person.give(INSTALL_RIGHTS)
        told = course(person)
        assert [code for code, _ in told] == [0, 0, 0], told
    assert {group for _, group, _, _ in person.refused} <= {"monitoring.coreos.com"}, "not served here"


# --- an uninstall is a withdrawal of routes ---------------------------------------------------------------


def test_it_is_refused_while_a_node_announces(admin: Person) -> None:
    admin.types(*APPLY)
    code, text = admin.types("uninstall", "--yes")
    assert code == 3
    assert "routes are announced by worker-1 (6 routes); without its speaker" in text
    assert "bgpctl uninstall --yes --withdraw-routes" in text
    assert admin.rig.admin.find(f"{SETS}/bgpctl-speaker")


def test_a_state_that_cannot_be_read_is_not_the_word_that_there_are_no_routes(admin: Person) -> None:
    admin.types(*APPLY)
    out_of_service(admin)
    key = ("bgpctl.io", "bgpnodestates")
    (stored,) = admin.rig.server.store.all(key)[0]
    admin.rig.server.store.put(key, {**stored.document, "status": {"phase": ["Withdrawn"]}})
    code, text = admin.types("uninstall", "--yes")
    assert code == 3 and "worker-1 (unknown: its state cannot be read)" in " ".join(text.split())
    assert admin.rig.admin.find(f"{SETS}/bgpctl-speaker")


def placed(admin: Person, name: str, node: str, phase: str = "Running") -> None:
    """A pod of the install, on a node."""
    labels = {MANAGED: MANAGER, INSTALL: "bgpctl-system"}
    about = {"name": name, "namespace": "bgpctl-system", "labels": labels}
    container = {"name": "speaker", "image": "r.example/bgpctl:1"}
    spec = {"nodeName": node, "containers": [container]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": spec, "status": {"phase": phase}}
    admin.rig.server.apply(pod)


SILENT = "unknown: the speaker that runs there has not told"


def test_a_speaker_that_never_told_anything_is_not_the_word_that_there_are_no_routes(admin: Person) -> None:
    """It counted as announcing nothing: all of its routes went with exit code 0."""
    admin.types(*APPLY)
    out_of_service(admin)
    placed(admin, "one", "worker-1")
    placed(admin, "never-started", "worker-8", "Pending")
    placed(admin, "is-ending", "worker-9")
    admin.rig.admin.delete("/api/v1/namespaces/bgpctl-system/pods/is-ending", {"gracePeriodSeconds": 30})
    assert admin.types("uninstall")[0] == 0, "one that withdrew, one that never ran, one that is ending"
    placed(admin, "two", "worker-2")
    code, text = admin.types("uninstall", "--yes")
    assert code == 3 and f"routes are announced by worker-2 ({SILENT});" in " ".join(text.split())
    assert admin.rig.admin.find(f"{SETS}/bgpctl-speaker")
    admin.rig.admin.delete("/apis/bgpctl.io/v1alpha1/bgpnodestates/worker-1")
    assert f"worker-1 ({SILENT}), worker-2 ({SILENT})" in " ".join(admin.types("uninstall")[1].split())


def test_an_old_word_is_not_one_about_now(admin: Person) -> None:
    """It withdrew, and has been silent since; or the process before this one ended."""
    admin.types(*APPLY)
    out_of_service(admin)
    placed(admin, "one", "worker-1")
    key = ("bgpctl.io", "bgpnodestates")
    (stored,) = admin.rig.server.store.all(key)[0]
    for phase in ("Stopped", "Starting"):
        status = {**stored.document["status"], "phase": phase}
        admin.rig.server.store.put(key, {**stored.document, "status": status})
        assert f"worker-1 ({SILENT})" in " ".join(admin.types("uninstall")[1].split())
    admin.rig.server.store.put(key, stored.document)
    admin.rig.clock.at += 3600.0
    assert "worker-1 (unknown: its speaker is silent)" in " ".join(admin.types("uninstall")[1].split())


def test_who_may_list_no_pods_goes_by_their_controllers(admin: Person) -> None:
    admin.types(*APPLY)
    out_of_service(admin)
    wanted = [Right(("list",), "", ("pods",), "")]
    admin.give([one for right in INSTALL_RIGHTS for one in without([right], wanted[0])])
    for pods, code in ((1, 0), (3, 3)):
        admin.rig.admin.patch(f"{SETS}/bgpctl-speaker/status", {"status": {"currentNumberScheduled": pods}})
        found, text = admin.types("uninstall")
        assert found == code, text
    assert "2 of 3 nodes (unknown: " in text and "pods may not be listed" in " ".join(text.split())


def test_it_is_not_when_none_does(admin: Person) -> None:
    admin.types(*APPLY)
    out_of_service(admin)
    code, text = admin.types("uninstall")
    assert code == 0 and "delete     DaemonSet bgpctl-system/bgpctl-speaker" in text
    assert "to do it: bgpctl uninstall --yes" in text
    assert admin.rig.admin.find(f"{SETS}/bgpctl-speaker"), "it was only shown"
    assert admin.types("uninstall", "--yes")[0] == 0
    assert admin.rig.admin.find(f"{SETS}/bgpctl-speaker") is None


def test_a_definition_of_ours_that_kubectl_applied_is_brought_up_to_date(admin: Person) -> None:
    """README once said so; nobody else has a say in this kind."""
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/bgpnodestates.bgpctl.io"
    names = admin.rig.admin.get(path)["spec"]["names"]
    older = {"spec": {"names": {**names, "shortNames": ["older"]}}}
    made = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", **older}
    admin.rig.admin.patch(path, made, "apply", fieldManager="kubectl", force="true")
    code, text = admin.types(*APPLY)
    assert code == 0 and "changed    CustomResourceDefinition bgpnodestates.bgpctl.io" in text
    assert admin.rig.admin.get(path)["spec"]["names"].get("shortNames") != ["older"]


def test_the_image_that_nobody_has_is_told(admin: Person) -> None:
    assert "must be on every node already" in admin.types("install", "--dry-run")[1]
    assert "must be" not in admin.types("install", "--dry-run", "--set", "image=r.example/b:1")[1]


@pytest.mark.parametrize("spec", [{"leaseDurationSeconds": -5}, {"renewTime": "soon", "holderIdentity": "x"}])
def test_a_lease_that_somebody_else_wrote(admin: Person, spec: dict[str, Any]) -> None:
    """Nonsense in it is told, or has run out; it is no bug of ours."""
    made = lease.document("bgpctl-install", "x", "2020-01-01T00:00:00.000000Z", version=None)
    made["spec"] = spec
    admin.rig.admin.create(LEASE.rpartition("/")[0], made)
    code, text = admin.types(*APPLY)
    assert "bug" not in text and "Traceback" not in text
    if code:
        assert code == 3 and "kubectl -n kube-system delete lease bgpctl-install" in text


def test_for_programs(admin: Person) -> None:
    code, text = admin.types(*APPLY, "-o", "json", "--set", "image=r.example/b:1")
    found = json.loads(text)
    assert (code, found["command"], found["status"]) == (0, "install", "done")
    verbs = {one["name"]: one["verb"] for one in found["objects"]}
    assert verbs["ClusterRole bgpctl-reader"] == "created"
    code, text = admin.types("uninstall", "--withdraw-routes", "-o", "json")
    assert json.loads(text)["status"] == "planned"


def test_a_reader_that_has_seen_enough_ends_nothing(admin: Person) -> None:
    from bgpctl.render import install

    with (
        mock.patch.object(install, "write", side_effect=BrokenPipeError),
        mock.patch("bgpctl.render.heard.silence"),
    ):
        code, _ = admin.types(*APPLY)
    assert code == 0
    assert "DaemonSet bgpctl-speaker" in ours(admin)


@pytest.mark.parametrize("gone", ["monitoring.coreos.com", "admissionregistration.k8s.io"])
def test_a_kind_that_the_cluster_does_not_have_is_told_before_the_first_write(
    admin: Person, gone: str
) -> None:
    def unserved(asked: Asked) -> Answer | None:
        return direct.refused(404) if asked.path.startswith(f"/apis/{gone}/") else None

    wire = admin.wire
    admin.wire = lambda: direct.Wire(admin.rig.api, user=wire().user, before=unserved)  # type: ignore[method-assign]
    before = admin.rig.server.store.version
    for words in (APPLY, ("install", "--dry-run")):
        code, text = admin.types(*words, "--set", "monitoring=true")
        assert code == 2 and "nothing was changed" in text and "=false" in text, text
    assert admin.rig.server.store.version == before


def test_waiting_alone_applies_nothing(admin: Person) -> None:
    before = admin.rig.server.store.version
    code, text = admin.types("install", "--wait", "-n", "other")
    assert code == 2 and "bgpctl install --wait -n other --apply" in text, text
    assert admin.rig.server.store.version == before


def test_what_could_not_be_looked_at_says_that_nothing_was_written() -> None:
    with cluster() as rig:
        code, text = Person(rig).types(*APPLY)
    assert code == 3 and "nothing was changed" in text and "was written" not in text, text
