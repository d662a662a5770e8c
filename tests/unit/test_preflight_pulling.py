"""The pods of a preflight: what they may do, and what their statuses and events say."""

from __future__ import annotations

from typing import Any

import pytest

from bgpctl.core.preflight.observed import observed
from bgpctl.core.preflight.pulling import COMMAND, LONGEST_WHY, Stage, pod, seconds_told, seen
from bgpctl.core.preflight.verdict import Word
from bgpctl.core.reading.foreign import Unreadable
from bgpctl.core.reading.images import valid_image
from tests.support.node_states import peer, state

Document = dict[str, Any]
IMAGE = "quay.io/example/speaker:v2"
NOW = 1_800_000_000.0


def test_the_pod_has_no_rights_and_runs_nothing_of_the_image() -> None:
    made = pod(IMAGE, "n", "r", 90, ("login",))
    spec, (container,) = made["spec"], made["spec"]["containers"]
    assert spec["nodeName"] == "n" and spec["automountServiceAccountToken"] is False
    assert spec["tolerations"] == [{"operator": "Exists"}] and spec["restartPolicy"] == "Never"
    assert spec["imagePullSecrets"] == [{"name": "login"}]
    assert container["imagePullPolicy"] == "Always" and container["command"] == [COMMAND]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["runAsUser"]
    assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC", "volumes", "serviceAccountName"}
    assert "imagePullSecrets" not in pod(IMAGE, "n", "r", 90)["spec"]


def test_the_whole_pod() -> None:
    """What a person who reviews it reads, field by field."""
    assert pod(IMAGE, "n", "r", 90, by="me@here:1/r") == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": "bgpctl-preflight-",
            "annotations": {"bgpctl.io/run-by": "me@here:1/r"},
            "labels": {
                "app.kubernetes.io/name": "bgpctl-preflight",
                "app.kubernetes.io/managed-by": "bgpctl",
                "bgpctl.io/run": "r",
            },
        },
        "spec": {
            "nodeName": "n",
            "restartPolicy": "Never",
            "activeDeadlineSeconds": 90,
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "tolerations": [{"operator": "Exists"}],
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65534,
                "runAsGroup": 65534,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "pull",
                    "image": IMAGE,
                    "imagePullPolicy": "Always",
                    "command": ["/bgpctl-only-pulls-this-image"],
                    "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}},
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        },
    }


def test_a_kubelets_words_are_cut() -> None:
    long = waiting("ErrImagePull", "x" * 4000)
    document = {"metadata": {"name": "p", "uid": "u"}, "spec": {"nodeName": "n"}, "status": long}
    assert seen(document).why == "ErrImagePull: " + "x" * 286


@pytest.mark.parametrize(
    "reason",
    [
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    ],
)
def test_every_reason_why_there_is_no_image(reason: str) -> None:
    document = {"metadata": {"name": "p", "uid": "u"}, "status": waiting(reason)}
    assert seen(document).stage is Stage.FAILED


@pytest.mark.parametrize(
    "reason",
    [
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "PostStartHookError",
        "PreCreateHookError",
        "PreStartHookError",
        "RunContainerError",
        "StartError",
    ],
)
def test_every_reason_that_tells_of_an_image_that_is_there(reason: str) -> None:
    document = {"metadata": {"name": "p", "uid": "u"}, "status": waiting(reason)}
    assert seen(document).stage is Stage.PULLED


def status(**state: Any) -> Document:
    return {"phase": "Pending", "containerStatuses": [{"name": "pull", "state": state}]}


def waiting(reason: str, message: str = "") -> Document:
    return status(waiting={"reason": reason, "message": message})


def beside(status: Document) -> Document:
    """With a sidecar that a webhook put there, which runs; a kubelet lists them by name."""
    other = {"name": "a-sidecar", "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}
    return {**status, "containerStatuses": [other, *status["containerStatuses"]]}


def ended(reason: str) -> Document:
    return {**status(terminated={"reason": reason, "exitCode": 128}), "phase": "Failed"}


@pytest.mark.parametrize(
    ("status", "stage", "why"),
    [
        ({}, Stage.WAITING, ""),
        ({"phase": "Pending"}, Stage.WAITING, ""),
        (waiting("ContainerCreating"), Stage.WAITING, ""),
        (waiting(""), Stage.WAITING, ""),
        (waiting("PodInitializing"), Stage.WAITING, ""),
        (waiting("ErrImagePull", "not found"), Stage.FAILED, "ErrImagePull: not found"),
        (waiting("ImagePullBackOff", "Back-off"), Stage.FAILED, "ImagePullBackOff: Back-off"),
        (waiting("InvalidImageName"), Stage.FAILED, "InvalidImageName"),
        (waiting("ErrImageNeverPull"), Stage.FAILED, "ErrImageNeverPull"),
        (waiting("OfWhichNobodyKnows"), Stage.WAITING, ""),
        (beside(waiting("ContainerCreating")), Stage.WAITING, ""),
        (beside(waiting("ErrImagePull", "not found")), Stage.FAILED, "ErrImagePull: not found"),
        (beside(ended("StartError")), Stage.PULLED, ""),
        # The command is not there: containerd fails to start it, CRI-O to create it.
        (ended("StartError"), Stage.PULLED, ""),
        (ended("ContainerCannotRun"), Stage.PULLED, ""),
        (waiting("RunContainerError", "no such file"), Stage.PULLED, ""),
        (waiting("CreateContainerError", "no such file"), Stage.PULLED, ""),
        (waiting("CreateContainerConfigError", "runAsNonRoot"), Stage.PULLED, ""),
        (status(running={"startedAt": "2026-01-01T00:00:00Z"}), Stage.PULLED, ""),
        (ended("ContainerStatusUnknown"), Stage.REFUSED, "the kubelet ended the pod, and does not say why"),
        ({"phase": "Failed", "reason": "OutOfpods", "message": "too many"}, Stage.REFUSED, "OutOfpods: too"),
        ({"phase": "Failed", "reason": "DeadlineExceeded"}, Stage.REFUSED, "DeadlineExceeded"),
        (waiting("ErrImagePull", "x" * 4000), Stage.FAILED, "ErrImagePull: xxx"),
    ],
)
def test_stages(status: Document, stage: Stage, why: str) -> None:
    document = {"metadata": {"name": "p", "uid": "u"}, "spec": {"nodeName": "n"}, "status": status}
    found = seen(document)
    assert (found.stage, found.node) == (stage, "n")
    assert found.why.startswith(why) and len(found.why) <= LONGEST_WHY
    assert bool(found.why) is bool(why)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"metadata": {"name": "p"}},
        {"metadata": {"name": "p", "uid": 3}},
        {"metadata": {"name": "p", "uid": "u"}, "status": {"containerStatuses": [3]}},
        {"metadata": {"name": "p", "uid": "u"}, "status": {"containerStatuses": {"state": "x"}}},
    ],
)
def test_what_is_no_pod_is_unreadable(document: Any) -> None:
    with pytest.raises(Unreadable):
        seen(document)


def event(message: object, name: str = "p", uid: str = "u", **more: str) -> Document:
    return {"involvedObject": {"name": name, "uid": uid, **more}, "message": message}


PULLED = f'Successfully pulled image "{IMAGE}" in '


@pytest.mark.parametrize(
    ("events", "seconds"),
    [
        ([event(f"{PULLED}3.2s")], 3.2),
        ([event(f"{PULLED}3.2s (1m2.5s including waiting). Image size: 3 bytes.")], 62.5),
        ([event(f"{PULLED}812ms (812ms including waiting)")], 0.812),
        ([event(f"{PULLED}1e9s")], None),
        ([event(f"{PULLED}-3s")], None),
        ([event("Pulled")], None),
        ([event(None)], None),
        ([event(["a"])], None),
        ([event(f"{PULLED}1ms"), event(f"{PULLED}8s")], 8.0),
        ([event(f"{PULLED}0.1s", uid="another")], None),
        ([event(f"{PULLED}0.1s", fieldPath="spec.containers{a-sidecar}")], None),
        ([event(f"{PULLED}2s", fieldPath="spec.containers{pull}")], 2.0),
        ([event(f"{PULLED}0.1s", name="another")], None),
        ([{"involvedObject": 3}, {}, event(f"{PULLED}2s")], 2.0),
        ([], None),
    ],
)
def test_what_a_kubelet_says_of_a_pull(events: list[Document], seconds: float | None) -> None:
    assert seconds_told(events, "p", "u") == seconds


@pytest.mark.parametrize(
    ("image", "valid"),
    [
        ("busybox", True),
        ("quay.io/cilium/cilium:v1.18.1", True),
        ("localhost:5000/a/b__c@sha256:" + "a" * 64, True),
        ("[::1]:5000/x:1", True),
        ("x:", False),
        ("x y", False),
        ("Not/an/Image", False),
        ("x@sha256:1", False),
        ("", False),
        ("x\n", False),
        ("a" * 256, False),
        ("--image", False),
    ],
)
def test_names_of_images(image: str, valid: bool) -> None:
    assert valid_image(image) is valid


# --- the last restart that was seen -------------------------------------------------------------------------


def speaker_pod(**parts: Any) -> Document:
    made = {"metadata": {"creationTimestamp": "2027-01-15T07:59:00Z"}, "spec": {"nodeName": "n"}}
    return {**made, **parts}


def restarted(away: int) -> Document:
    one = {
        "name": "agent",
        "lastState": {"terminated": {"finishedAt": "2027-01-15T07:00:00Z"}},
        "state": {"running": {"startedAt": f"2027-01-15T07:00:{away:02}Z"}},
    }
    return speaker_pod(status={"containerStatuses": [one]})


def told(since: float) -> Any:
    return state("n", NOW, peer(NOW, established_at=since), started_at=NOW - 50)


def test_the_longest_that_was_seen_counts() -> None:
    assert NOW == 1_800_000_000 and observed([], None).word is Word.UNKNOWN
    assert observed([], None).how == "none was seen, and nothing is restarted without --canary NODE"
    assert observed([speaker_pod()], None).seconds is None, "its sessions are not told"
    first = observed([speaker_pod()], told(NOW - 45))
    assert (first.seconds, first.word) == (15, Word.REPORTED) and "last start of its pod" in first.how
    longer = observed([restarted(30)], told(NOW - 45))
    assert longer.seconds == 35 and "container agent, and 5 s for its routers" in longer.how
    assert observed([restarted(2)], told(NOW - 45)).seconds == 15
    bare = observed([], told(NOW - 45))
    assert bare.seconds == 5 and "last start of its speaker" in bare.how


def test_the_last_of_its_sessions_counts() -> None:
    both = peer(NOW, established_at=NOW - 45), peer(NOW, "192.0.2.2", established_at=NOW - 30)
    found = observed([speaker_pod()], state("n", NOW, *both, started_at=NOW - 50))
    assert found.seconds == 30


def test_sessions_that_came_up_for_another_reason_tell_nothing() -> None:
    assert observed([speaker_pod()], told(NOW + 3600)).seconds is None
    assert observed([speaker_pod()], told(NOW - 3600)).seconds is None, "before the pod was there"
    down = state("n", NOW, peer(NOW, established_at=NOW - 45), peer(NOW, established_at=None))
    assert observed([speaker_pod()], down).seconds is None
    assert observed([{"metadata": {"creationTimestamp": 3}}], told(NOW - 45)).seconds is None
