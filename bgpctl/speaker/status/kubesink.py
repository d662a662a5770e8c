"""A speaker's state in the cluster: the BGPNodeState object of its node."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bgpctl.core.reading.documents import annotations_of, metadata
from bgpctl.core.state import ENDED, NodeState
from bgpctl.core.state_document import to_document
from bgpctl.errors import BgpctlError, Temporary
from bgpctl.kube import paths
from bgpctl.kube.client import ApiError, Client, Conflict, NotFound
from bgpctl.speaker.status.beside import Beside, of_one
from bgpctl.speaker.status.publisher import decoded

log = logging.getLogger("bgpctl.speaker")

TEST_FAILED = 422  # what the API server answers where a `test` of a JSON patch fails
TRIES = 4


class KubeSink:
    """The BGPNodeState object, created when it is missing, owned by its Node: the API server's garbage
    collector removes it with that. `uid` tells the Node's UID, "" = there is no such Node, None = not known
    (yet). It is written as this process knows it; what another one wrote in between is read and joined.
    `before` tells what the process kept that this one follows on its machine, None = it is not known.
    `mark`: a file that is there once the object was. `beside` is what others told; `noticed` is called when
    that is more than before."""

    def __init__(
        self,
        client: Client,
        node: str,
        uid: Callable[[], str | None] = lambda: None,
        before: Callable[[], NodeState | None] = lambda: None,
        mark: Path | None = None,
    ) -> None:
        self._client, self._node, self._uid, self._before = client, node, uid, before
        self._refused = ""
        self._version = ""  # of the object as it was read or written last, "" = it is not known
        self.beside = Beside()
        self.noticed: Callable[[], None] = lambda: None
        self._mark, self._marked = mark, False
        self._recalled: NodeState | None = None  # what was there when this process began

    def read(self) -> NodeState | None:
        document = self._found()
        self._version = _version(document or {})
        self._recalled = decoded(document) if document else None
        own = self._before()
        if own is not None:
            self.beside.recall(own, own.uid)
        if self._recalled is not None:
            self.beside.recall(self._recalled, own.uid if own else "")
        elif own is not None and (self._mark is None or self._mark.exists()):
            self.beside.lost(own)
        if document:
            self._hear(document, own or self._recalled or NodeState(self._node))
        return self._recalled

    def _found(self) -> dict[str, Any] | None:
        """The object as it is, None = there is none. Without the right to get it, the one to patch it shows
        it as well: a patch of nothing changes nothing."""
        path = paths.node_state(self._node)
        try:
            return self._client.find(path)
        except ApiError as error:
            if error.code != 403:
                raise
        try:
            return self._client.patch(f"{path}/status", {})
        except NotFound:
            return None

    def write(self, state: NodeState) -> None:
        try:
            written = self._patched(state)
        except NotFound:
            self._gone(state)
            self._create(state)
            written = self._patched(state)
        self._version = _version(written)
        if self._mark and not self._marked:
            with contextlib.suppress(OSError):
                self._mark.touch(mode=0o600)
            self._marked = True
        if self._hear(written, state):
            written = self._patched(state)
            self._version = _version(written)
        self._own(written)

    def _gone(self, state: NodeState) -> None:
        """The object is. Known at once: it may take long until there can be another one."""
        if self._version:
            self._version = ""
            self.beside.lost(state)
            self.noticed()

    def _hear(self, document: dict[str, Any], state: NodeState) -> bool:
        """Does the operator say something of the others? It counts once, so it is taken away before it is
        believed: left there, it would speak of those who are met later, too."""
        word = annotations_of(document).get(ENDED)
        if word is None:
            return False
        body = {"metadata": {"resourceVersion": self._version, "annotations": {ENDED: None}}}
        try:
            self._version = _version(self._client.patch(paths.node_state(self._node), body))
        except (Conflict, NotFound, Temporary):
            return False  # the next write sees it again
        except BgpctlError as error:
            hint = "grant patch on bgpnodestates: until then nobody's word but its own ends another speaker"
            log.warning("state.not_heard", extra={"error": error.message, "hint": hint})
            return False
        self.beside.ended({name.strip() for name in word.split(",")}, state)
        self.noticed()
        log.info("state.others_ended", extra={"speakers": word})
        return True

    def _patched(self, state: NodeState) -> dict[str, Any]:
        """The object with this state in it, and with what others told of the node."""
        for _ in range(TRIES):
            status = to_document(self.beside.joined(state))["status"]
            # "add" replaces the whole status (RFC 6902 section 4.1); a merge would keep what has gone
            patch: list[dict[str, Any]] = [{"op": "add", "path": "/status", "value": status}]
            if self._version:
                patch.insert(0, {"op": "test", "path": "/metadata/resourceVersion", "value": self._version})
            try:
                return self._client.patch(f"{paths.node_state(self._node)}/status", patch, kind="json")
            except ApiError as error:
                if error.code != TEST_FAILED or not self._look(state):
                    raise
        raise Temporary(f"the BGPNodeState of {self._node} is written by somebody else all the time")

    def _look(self, state: NodeState) -> bool:
        """Did somebody write the object since? Another speaker's word is kept."""
        known = self._version
        document = self._found()  # where it fails, the next write asks the same again
        if document is None:
            raise NotFound(404, "NotFound", f"the BGPNodeState {self._node} is gone", {})
        self._version = _version(document)
        other = decoded(document)
        named = other is not None and (other.uid or other.started_at)
        if other is not None and named and not of_one(other, state) and not self._is_old(other):
            self._meet(other)
        return self._version != known

    def _is_old(self, other: NodeState) -> bool:
        """Is it no more than the one before this process had told when it was read? Its object was touched by
        somebody else, or put back."""
        before = self._recalled
        return before is not None and of_one(before, other) and 0 < other.sequence <= before.sequence

    def _meet(self, other: NodeState) -> None:
        self.beside.met(other)
        self.noticed()
        log.warning("state.another_speaker", extra={"speaker": other.uid, "phase": other.phase})

    def _create(self, state: NodeState) -> None:
        document = to_document(state)
        uid = self._uid()
        if uid == "":
            raise BgpctlError(f"there is no Node {self._node}: a BGPNodeState of it would stay for ever")
        if uid:
            document["metadata"]["ownerReferences"] = [_owner(self._node, uid)]
        try:
            self._version = _version(self._client.create(paths.NODE_STATES, document))
        except Conflict:
            self._look(state)  # another writer was faster: the same object
        except NotFound:
            raise BgpctlError(
                "the cluster does not know BGPNodeState: its CustomResourceDefinition is not installed"
            ) from None

    def _own(self, written: dict[str, Any]) -> None:
        """Of an object that an older speaker made, or that is left of a Node that was made again. Seen in the
        answer to each write, so it costs a request only when there is something to do."""
        uid, found = self._uid(), metadata(written).get("ownerReferences") or []
        nodes = [each.get("uid") for each in found if each.get("kind") == "Node"]
        if not uid or nodes == [uid] or uid == self._refused:
            return
        owners = [*(each for each in found if each.get("kind") != "Node"), _owner(self._node, uid)]
        body = {"metadata": {"resourceVersion": self._version, "ownerReferences": owners}}
        try:
            self._version = _version(self._client.patch(paths.node_state(self._node), body))
        except (Conflict, NotFound, Temporary):
            return  # the next write sees it again
        except BgpctlError as error:
            self._refused = uid
            hint = "grant patch on bgpnodestates; until then it must be deleted by hand when its Node is gone"
            log.warning("state.not_owned", extra={"error": error.message, "hint": hint})


def _version(document: dict[str, Any]) -> str:
    return str(metadata(document).get("resourceVersion") or "")


def _owner(node: str, uid: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Node", "name": node, "uid": uid, "controller": False}
