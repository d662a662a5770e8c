"""Put a runbook together and run it: `drain`, `restore`, `plan`. Each yields Events and returns a Result."""

from __future__ import annotations

import re
import secrets
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bgpctl.core.timing.profiles import UNKNOWN_ROUTER, Profile
from bgpctl.errors import Tells, UsageError
from bgpctl.kube.client import Client
from bgpctl.providers import detect
from bgpctl.runbooks import advice, engine, kept, soaked, whose
from bgpctl.runbooks import plan as planning
from bgpctl.runbooks import world as worlds
from bgpctl.runbooks.catalogue import node_drain, node_restore
from bgpctl.runbooks.checked import no_such_peer
from bgpctl.runbooks.command_line import CommandLine
from bgpctl.runbooks.drain_steps import only
from bgpctl.runbooks.engine import Events
from bgpctl.runbooks.evidence import gone
from bgpctl.runbooks.journal import Journal
from bgpctl.runbooks.judge import Judge
from bgpctl.runbooks.model import Event, Result
from bgpctl.runbooks.moments import moments
from bgpctl.runbooks.options import DrainOptions, RestoreOptions
from bgpctl.runbooks.restore_steps import NOTHING, UNSELECTED
from bgpctl.runbooks.routers import Routers
from bgpctl.runbooks.soaked import Soaked
from bgpctl.runbooks.world import World
from bgpctl.witness.probe import parse_probe


def drain(client: Client, options: DrainOptions) -> Events:
    """Take the node out of service."""
    run = _new_run()
    options = replace(options, provider=whose.provider(client, options.node, options.provider).name)
    world = _drain_world(client, options, run)
    yield from _inherits(options, world)
    _knows_peers(options, world)
    _may_soak(options, world)
    steps = node_drain(options, run)
    result = yield from engine.run("drain", options.node, run, steps, world, options.timeout, options.command)
    return told(result, world, options.command)


def plan(client: Client, options: DrainOptions, *, server: bool = False) -> Events:
    """What a drain would do, decided on the world as it is. Performs nothing, not even the claim. `server`:
    the API server judges every write, and keeps none."""
    run = _new_run()
    options = replace(options, provider=whose.provider(client, options.node, options.provider).name)
    world = _drain_world(client, options, run)
    yield from _inherits(options, world)
    _knows_peers(options, world)
    _may_soak(options, world)
    judge = Judge(world.hold) if server else None
    result = yield from planning.plan("drain", options.node, run, node_drain(options, run), world, judge)
    return replace(result, hint=options.command.aimed(result.hint))


def _inherits(options: DrainOptions, world: World) -> Iterator[Event]:
    """What somebody else asked for is said before any of it is done."""
    if not options.inherited:
        return
    words = shlex.join(kept.words(options.inherited))
    text = f"as the run before was asked to: {words} (flags that you give now count instead)"
    yield Event(world.now(), "note", "Claimed", "own the node", "acting", text, node=options.node)


def _knows_peers(options: DrainOptions, world: World) -> None:
    """Raises UsageError for the profile of a router that the node has not: what was typed is wrong, and will
    be when it is typed again."""
    seen = world.observe(only("state")) if options.profiles else None
    if seen is not None and not (seen.journal and seen.journal.begun):
        for wrong in no_such_peer(seen, options.profiles):
            raise UsageError(wrong.message, wrong.advice)


def _may_soak(options: DrainOptions, world: World) -> None:
    """Raises UsageError where a soak was asked for that is not to be had."""
    if options.soak and (why := soaked.cannot(world.observe(Soaked.needs))):
        plain = options.command.with_flags([f"{soaked.FLAG} 0"])
        raise UsageError(why, f"nothing was changed on the node; without a soak: {plain}")


def restore(client: Client, options: RestoreOptions) -> Events:
    """Bring the node back to the state before its drain."""
    run = _new_run()
    world = _restore_world(client, options, run)
    steps = node_restore(options, run)
    result = yield from engine.run(
        "restore", options.node, run, steps, world, options.timeout, options.command
    )
    return told(result, world, options.command)


def plan_restore(client: Client, options: RestoreOptions, *, server: bool = False) -> Events:
    """What a restore would do, decided on the world as it is. Performs nothing. `server`: as of `plan`."""
    run = _new_run()
    world = _restore_world(client, options, run)
    judge = Judge(world.hold) if server else None
    result = yield from planning.plan("restore", options.node, run, node_restore(options, run), world, judge)
    return replace(result, hint=options.command.aimed(result.hint))


def _restore_world(client: Client, options: RestoreOptions, run: str) -> World:
    asked = routers(options.probes)
    provider = whose.provider(client, options.node, options.provider)
    return worlds.build(client, options.node, run, provider=provider, timeout=options.timeout, routers=asked)


def told(result: Result, world: World, typed: CommandLine) -> Result:
    """The result as a person reads it."""
    last = world.last_journal
    orphan = world.orphan() if result.status == "blocked" else None
    return advice.completed(conclude(result, last), last, typed, orphan)


def conclude(result: Result, journal: Journal | None) -> Result:
    """The last line a person reads: what is true of the node now, and by whose word."""
    evidence = journal.evidence if journal else {}
    proof = evidence.get("proof", "")
    result = replace(result, evidence=evidence, run=journal.run if journal else result.run)
    if result.status != "done":
        return result
    result = replace(result, proof=proof)
    if result.command == "restore":
        return _back(result, journal)
    timeline = moments(journal) if journal else ()
    return replace(result, message=_drained(result, evidence), reason=_waited(evidence), timeline=timeline)


def _drained(result: Result, evidence: Mapping[str, Any]) -> str:
    ending = next((s.text for s in result.steps if s.step == "ShutDown"), "safe to power off")
    return f"{result.node}: {ending} — {gone(evidence)}"


def _waited(evidence: Mapping[str, Any]) -> str:
    """What a wait by the clock rests on: long, and so before the last line."""
    if evidence.get("proof") not in ("reported", "estimated"):
        return ""
    return f"{evidence.get('worstSeconds', 0):g} s were waited: {evidence.get('why')}"


def _back(result: Result, journal: Journal | None) -> Result:
    """A node that somebody else took out is not back: `restore && use it` must not be fooled. A cordon alone
    is an admin's, and stays as it does where the drain found it: a restore that is run again ends as well."""
    texts = {report.step: report.text for report in result.steps}
    left = texts["Established"] if texts["Established"] != NOTHING.reason else ""
    if journal is None and UNSELECTED in left:
        message = f"still out of service: {texts['Claimed']}; {re.sub(_COMMANDS, '', left)}"
        hint, tells = "\n".join(_to_type(left)), frozenset((Tells.GO_ON,))
        return replace(result, status="blocked", message=message, hint=hint, tells=tells, in_service=False)
    cordoned = journal.prior_unschedulable if journal else bool(left)
    in_service = not cordoned and UNSELECTED not in left
    return replace(result, message=_restored(result, texts, journal), in_service=in_service)


_COMMANDS = r": `[^;]*`"


def _to_type(left: str) -> Iterator[str]:
    """Every command of what is left to do by hand, with its reason."""
    for reason in left.split("; "):
        for command in re.findall("`([^`]*)`", reason):
            yield f"{reason.partition(': ')[0]}: {command}"


def _restored(result: Result, texts: Mapping[str, str], journal: Journal | None) -> str:
    if journal is None:
        left = texts["Established"]
        by_hand = f"; {left}" if left != NOTHING.reason else ""
        return f"{result.node}: {texts['Claimed']}{by_hand}"
    cordon = "still cordoned, as it was before" if journal.prior_unschedulable else "schedulable"
    if not journal.takes_out:
        return f"{result.node}: {cordon} — {texts['Established']}"
    return f"{result.node}: in service, {cordon} — {texts['Announced']}"


def _drain_world(client: Client, options: DrainOptions, run: str) -> World:
    return worlds.build(
        client,
        options.node,
        run,
        provider=detect.among(client, options.provider),
        timeout=options.timeout,
        routers=routers(options.probes),
        eviction=options.eviction,
        profile_of=_profiles(options.profiles),
        deselect_override=options.deselect_label,
        lifted=options.lifted,
        max_unavailable=options.max_unavailable,
        after=options.after,
    )


def routers(probes: Sequence[str]) -> Routers:
    """The probes of a run, from their text form."""
    return Routers(tuple(parse_probe(text) for text in probes))


def _profiles(by_address: Mapping[str, Profile]) -> Callable[[str], Profile]:
    """Address -> the router's profile; unknown routers take their worst case."""
    return lambda address: by_address.get(address, UNKNOWN_ROUTER)


def _new_run() -> str:
    return secrets.token_hex(4)
