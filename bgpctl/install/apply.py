"""Bring the objects of an install into a cluster: server-side apply, one after the other, and prune.

Whatever stops it, running it again finishes: each object is applied as a whole, and what an earlier install
made is found by its labels. Nothing is written before every object was looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bgpctl.core.preflight.rollout import ANNOTATION
from bgpctl.core.reading.documents import annotations_of
from bgpctl.errors import BgpctlError, Blocked, Temporary, UsageError
from bgpctl.install import found
from bgpctl.install.crds import is_ours
from bgpctl.install.hold import Hold, alone
from bgpctl.install.keeping import check_kept
from bgpctl.install.labels import MANAGER
from bgpctl.install.manifests import KINDS, Manifest, words_of
from bgpctl.install.settings import Options
from bgpctl.kube.client import ApiError, Client, Conflict, NotFound
from bgpctl.kube.optional import serves_version

Document = Mapping[str, Any]

PRUNED = tuple(kind for kind in KINDS if kind not in found.STAYING)

LIFTS = {
    "PodMonitor": "the Prometheus operator is not installed: --set monitoring=false",
    "PrometheusRule": "the Prometheus operator is not installed: --set monitoring=false",
    "ValidatingAdmissionPolicy": "Kubernetes has it since 1.30: --set admissionPolicy=false",
    "ValidatingAdmissionPolicyBinding": "Kubernetes has it since 1.30: --set admissionPolicy=false",
}
"""Kinds that a cluster need not have, and what does without them."""


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one object. `verb`: created, changed, unchanged, kept (`why` says why) or pruned."""

    verb: str
    name: str
    why: str = ""


def apply(
    client: Client, chosen: Options, wanted: Sequence[Manifest], *, force: bool, dry_run: bool
) -> Iterator[Done]:
    """Each as it is done. Raises Blocked before the first change for an object that is somebody else's, and
    at the first field that is. `force` takes such fields; `dry_run`: the API server judges every write and
    keeps none."""
    there = [_find(client, one) for one in wanted]
    kept = [found.check(one, document, chosen) for one, document in zip(wanted, there, strict=True)]
    _no_upgrade(there)
    _no_withdrawal(client, chosen, wanted, there)
    _all_served(client, wanted, there)
    if dry_run:
        yield from _write(client, chosen, wanted, there, kept, None, force)
        return
    with alone(client) as hold:
        yield from _write(client, chosen, wanted, there, kept, hold, force)


def _find(client: Client, one: Manifest) -> Document | None:
    try:
        return client.find(found.path(one))
    except (ApiError, Temporary) as error:
        raise _told(error, f"look at {one.words}", "nothing was changed") from None


def _no_upgrade(there: Sequence[Document | None]) -> None:
    """A DaemonSet that an upgrade has in its hands is not replaced under it."""
    for document in there:
        if document and ANNOTATION in annotations_of(document):
            name = words_of({**document, "kind": "DaemonSet"})
            raise Blocked(
                f"{name} is being upgraded: its annotation {ANNOTATION} is there",
                "let the upgrade finish, or run `bgpctl speaker upgrade` again; then this",
            )


def _no_withdrawal(
    client: Client, chosen: Options, wanted: Sequence[Manifest], there: Sequence[Document | None]
) -> None:
    """Raises Blocked where sessions that carry routes would end with this install."""
    names = {(one.kind, one.namespace, one.name) for one in wanted}
    going = _stale(client, chosen, names, ["DaemonSet"])
    try:
        check_kept(client, chosen, going, wanted, there)
    except (ApiError, Temporary) as error:
        raise _told(
            error, "look which nodes announce, and keep their speakers", "nothing was changed"
        ) from None


def _all_served(client: Client, wanted: Sequence[Manifest], there: Sequence[Document | None]) -> None:
    """A kind that this cluster does not have is told before the first write, not half-way."""
    missing = {one.kind: one for one, now in zip(wanted, there, strict=True) if now is None}
    for kind in (kind for kind in LIFTS if kind in missing):
        if not serves_version(client, *KINDS[kind]):
            raise UsageError(
                f"the API server has no {kind}s: nothing was changed",
                LIFTS[kind],
            )


def _write(
    client: Client,
    chosen: Options,
    wanted: Sequence[Manifest],
    there: Sequence[Document | None],
    kept: Sequence[str],
    hold: Hold | None,
    force: bool,
) -> Iterator[Done]:
    # A namespace that a dry run does not make has no place for what comes into it.
    absent = {
        one.name for one, now in zip(wanted, there, strict=True) if one.kind == "Namespace" and now is None
    }
    for one, before, why in zip(wanted, there, kept, strict=True):
        if why:
            yield Done("kept", one.words, why)
        elif hold is None and one.namespace in absent:
            yield Done("created", one.words, "not asked: its namespace is not there yet")
        else:
            yield _applied(client, one, before, hold, force)
    names = {(one.kind, one.namespace, one.name) for one in wanted}
    for old in _stale(client, chosen, names):
        yield _pruned(client, old, hold)


def _applied(client: Client, one: Manifest, before: Document | None, hold: Hold | None, force: bool) -> Done:
    if hold:
        hold.keep()
    ours = one.kind == "CustomResourceDefinition" and is_ours(
        one.document
    )  # `kubectl apply` may have made it
    query = {"fieldManager": MANAGER, "force": "true" if force or ours else "false"}
    if hold is None:
        query["dryRun"] = "All"
    try:
        after = client.patch(found.path(one), dict(one.document), "apply", **query)
    except Conflict as error:
        if one.kind == "CustomResourceDefinition" and not is_ours(one.document):
            return Done("kept", one.words, f"Cilium has it in its hands: {_fields(error)}")
        raise Blocked(
            f"{one.words}: somebody else set what this install would change: {_fields(error)}",
            "to leave it to them, choose the same with --set; to take it: --force-conflicts\n"
            "what was written before stays; running the same again goes on",
        ) from None
    except NotFound as error:
        raise _unserved(one, error) from None
    except (ApiError, Temporary) as error:
        raise _told(error, f"apply {one.words}") from None
    if before is None:
        return Done("created", one.words, one.why)
    same = _content(before) == _content(after)
    return Done("unchanged" if same else "changed", one.words, "" if same else one.why)


def _content(document: Document) -> Document:
    """Without what the API server and controllers keep by themselves: of a dry run no version is counted, and
    a status changes while pods come and go."""
    own = ("managedFields", "resourceVersion", "generation")
    meta = {key: value for key, value in document["metadata"].items() if key not in own}
    return {key: value for key, value in document.items() if key != "status"} | {"metadata": meta}


def _fields(error: ApiError) -> str:
    """Who set which field, of the API server's conflict."""
    details = error.status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    rows = [c for c in causes if isinstance(c, dict)] if isinstance(causes, list) else []
    told = [f"{c.get('field')} ({c.get('message')})" for c in rows]
    return "; ".join(told) or error.message


def _unserved(one: Manifest, error: ApiError) -> BgpctlError:
    made = "; its namespace is not there: --set createNamespace=true" if one.namespace else ""
    return UsageError(
        f"the API server does not take {one.words}: {error.message}",
        LIFTS.get(one.kind, f"check the context with `kubectl config current-context`{made}"),
    )


def _told(
    error: BgpctlError,
    what: str,
    safe: str = "what was written before stays; running the same again goes on",
) -> BgpctlError:
    """A right that is missing is named by the API server; what it was for, by us."""
    if getattr(error, "code", 0) == 403:
        return Blocked(
            f"cannot {what}: {error.message}",
            f"to see all that is missing: bgpctl auth check --for install\n{safe}",
        )
    return BgpctlError(
        f"cannot {what}: {error.message}",
        f"{safe}\nwhere a right is missing: bgpctl auth check --for install",
    )


def _stale(
    client: Client, chosen: Options, names: set[tuple[str, str, str]], kinds: Sequence[str] = PRUNED
) -> list[Document]:
    """What of these kinds an earlier install made and this one does not want."""
    try:
        made = list(found.made_before(client, chosen.namespace, kinds))
    except ApiError as error:
        raise _told(error, "look for what an earlier install left") from None
    return [one for one in made if _key(one) not in names]


def _key(document: Document) -> tuple[str, str, str]:
    meta = document["metadata"]
    return document["kind"], str(meta.get("namespace", "")), str(meta["name"])


def _pruned(client: Client, old: Document, hold: Hold | None) -> Done:
    if hold:
        hold.keep()
        delete(client, old)
    return Done("pruned", words_of(old), "an earlier install made it, this one does not")


def delete(client: Client, old: Document) -> None:
    """This very object, if it is there still. Raises Blocked where that is forbidden."""
    kind, namespace, name = _key(old)
    options = {"preconditions": {"uid": old["metadata"]["uid"]}, "propagationPolicy": "Background"}
    try:
        client.delete(found.path_of(kind, namespace, name), options)
    except NotFound:
        return
    except Conflict:
        return  # another one of its name by now, which is not ours
    except (ApiError, Temporary) as error:
        raise _told(error, f"delete {words_of(old)}") from None
