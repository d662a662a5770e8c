"""The command: one line in, one operation, one answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from exabgp.bgp.fsm import FSM
from exabgp.reactor.api.command.command import Command

from bgpctl.exabgp import wire
from bgpctl.exabgp.claim import Claim
from bgpctl.exabgp.extension import inventory, routes
from bgpctl.exabgp.extension.leave import leave, shutdown
from bgpctl.exabgp.extension.state import EXTENSION


def _command(api: Any, reactor: Any, service: str, line: str, use_json: bool) -> bool:
    """Every request is answered with its id; what goes wrong in one is told and never ends ExaBGP."""
    identifier = None
    try:
        request = wire.decode_request(line)
        identifier = request["id"]
        result = OPERATIONS[request["op"]](request)
    except Exception as error:
        EXTENSION.send({"id": identifier, "ok": False, "error": f"{type(error).__name__}: {error}"})
        return False
    if result is not None:
        EXTENSION.send({"id": identifier, "ok": True, **result})
    return True


def _claim(request: wire.Message) -> wire.Message:
    """From here on this is the one engine of a node; comes before its first peer. Raises Taken."""
    before = EXTENSION.claim
    if before is None or before.name != request["name"]:
        EXTENSION.claim = Claim(request["name"], EXTENSION.directory)
        if before is not None:
            before.close()
    return {}


def _state(request: wire.Message) -> wire.Message:
    return {"peers": [EXTENSION.describe(record) for record in EXTENSION.records.values()]}


def _announce(request: wire.Message) -> wire.Message:
    wanted, peer = request["attributes"], EXTENSION.peer(request["peer"])
    for text, blob in request["prefixes"].items():
        family = routes.FAMILIES[text]
        path, nlris = routes.path(family, wanted), list(wire.unpack_prefixes(blob, text))
        peer.neighbor.rib.outgoing.announce(family, nlris, path)
    _tell_pending(peer)
    return {}


def _withdraw(request: wire.Message) -> wire.Message:
    peer = EXTENSION.peer(request["peer"])
    for text, blob in request["prefixes"].items():
        nlris = list(wire.unpack_prefixes(blob, text))
        peer.neighbor.rib.outgoing.withdraw(routes.FAMILIES[text], nlris)
    _tell_pending(peer)
    return {}


def _tell_pending(peer: Any) -> None:
    """Before the answer, so that who waits for `pending` to be 0 never reads the 0 of before."""
    if peer.fsm == FSM.ESTABLISHED:
        EXTENSION.tell(EXTENSION.record(peer.neighbor))


def _synced(request: wire.Message) -> wire.Message:
    for name in request["peers"]:
        peer = EXTENSION.peer(name)
        EXTENSION.synced.add(name)
        if peer.fsm == FSM.ESTABLISHED:
            EXTENSION.queue_end_of_rib(name, peer)
    return {}


def _configure(request: wire.Message) -> wire.Message:
    """Read the configuration again. `fresh` are the peers that start with an empty RIB; `definitions` is what
    the next manager must know of each, `flaps` what a peer lost under an engine that died."""
    reactor = EXTENSION.reactor
    for key in [key for key, peer in reactor._peers.items() if not peer._restart and not peer.generator]:
        del reactor._peers[key]
    before, known = {id(peer) for peer in reactor._peers.values()}, set(EXTENSION.records)
    if not reactor.reload():
        # The text of ExaBGP's error quotes the configuration, which may hold a password.
        raise ValueError("ExaBGP refused the configuration")
    current = dict(EXTENSION.peers())
    fresh = [name for name, peer in current.items() if id(peer) not in before]
    EXTENSION.synced &= set(current) - set(fresh)
    EXTENSION.records = {name: EXTENSION.record(peer.neighbor) for name, peer in current.items()}
    for name in set(current) - known:
        EXTENSION.records[name].flaps += request["flaps"].get(name, 0)
    EXTENSION.definitions = request["definitions"]
    if current:
        EXTENSION.departed = {}
    for name, peer in current.items():
        if EXTENSION.records[name].awaiting_end_of_rib and peer.fsm == FSM.ESTABLISHED:
            EXTENSION.queue_end_of_rib(name, peer)
    return {"fresh": fresh}


Operation = Callable[[wire.Message], wire.Message | None]
"""Answers at once, or with None when it will answer later."""

OPERATIONS: dict[str, Operation] = {
    "hello": inventory.hello,
    "claim": _claim,
    "inventory": inventory.inventory,
    "routes": inventory.next_routes,
    "state": _state,
    "announce": _announce,
    "withdraw": _withdraw,
    "synced": _synced,
    "configure": _configure,
    "leave": leave,
    "shutdown": shutdown,
}


def register() -> None:
    """Put the command into ExaBGP's registry."""
    Command.register(wire.COMMAND, False)(_command)
