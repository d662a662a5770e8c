"""Which versions there are: of this bgpctl, of the speakers and their engines, of the CRD, and what does not
fit (by the doctor's own rules)."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from bgpctl import __version__
from bgpctl.errors import BgpctlError

if TYPE_CHECKING:
    from bgpctl.core.doctor.finding import Finding
    from bgpctl.core.state import NodeState
    from bgpctl.kube.client import Client
    from bgpctl.ports import Provider

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Versions:
    """`engine`: the ExaBGP that a speaker started here would run. `speakers`: how many nodes have which
    speaker and engine. `crd`: of BGPNodeState, in words, "" = nobody was asked; `problem`: why the cluster's
    are not known, "" = they are."""

    client: str
    python: str
    engine: str
    server: str = ""
    speakers: Mapping[tuple[str, str], int] = field(default_factory=dict)
    crd: str = ""
    skew: Sequence[Finding] = ()
    problem: str = ""


def here() -> Versions:
    """What is installed on this machine."""
    try:
        engine = version("exabgp")
    except PackageNotFoundError:
        engine = UNKNOWN
    return Versions(__version__, platform.python_version(), engine)


def unasked(problem: str) -> Versions:
    """The same where nobody can be asked for the cluster's."""
    return replace(here(), problem=problem)


def versions(client: Client, speakers: Provider) -> Versions:
    """The same with the cluster's; `speakers` tells of bgpctl's own. What cannot be read is named."""
    found = here()
    try:
        return _of_cluster(client, speakers, found)
    except BgpctlError as error:
        return replace(found, problem=error.message)


def _of_cluster(client: Client, speakers: Provider, found: Versions) -> Versions:
    from bgpctl.core.doctor import speaker as rules
    from bgpctl.core.doctor.facts import Facts
    from bgpctl.core.doctor.finding import Finding
    from bgpctl.queries.crd import lacking

    server = client.get("/version").get("gitVersion")
    states = speakers.states()
    crds = lacking(client)
    facts = Facts(client.present(), __version__, states={one.node: one for one in states or ()}, crds=crds)
    said = (*rules.speakers_differ(facts), *rules.speaker_and_cli(facts), *rules.crd_older(facts))
    crd = "not installed" if states is None else f"lacks {', '.join(crds)}" if crds else "as bgpctl's own"
    return replace(
        found,
        server=server if isinstance(server, str) else UNKNOWN,
        speakers=Counter(
            (one.speaker_version or UNKNOWN, one.engine_version or UNKNOWN) for one in facts.live
        ),
        crd=crd,
        skew=tuple(one for one in said if isinstance(one, Finding)),
    )


def _speaker(state: NodeState) -> tuple[str, str]:
    return state.speaker_version or UNKNOWN, state.engine_version or UNKNOWN
