"""docs/doctor.md, made of the rules' own declarations: `python -m tests.doctor_page` writes it anew."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from bgpctl.core.doctor import THEMES
from bgpctl.core.doctor.finding import Rule

PATH = Path(__file__).parents[1] / "docs" / "doctor.md"

HEAD = """# What the doctor looks for

`bgpctl doctor` looks at the cluster's objects, at what the speakers publish and, with `--router-probe`, at
the routers' side of the sessions. It changes nothing. A rule says nothing of what is not known: that is
listed as *not checked*. This page is made of the rules themselves (`bgpctl/core/doctor/`, one file per
theme) by `python -m tests.doctor_page`.

**error**: traffic is lost now, or at the next drain. **warning**: it will be, when something else happens.
**note**: worth knowing. The exit code is 1 with an error or a warning, and 0 with nothing or only notes.

`-o json` has every finding with `rule` (the names below, which stay), `severity`, `objects` (all of them),
`why`, `fix` (the whole command, or the field with its value; of several objects, that of the first) and
`page`.
"""

NEEDS = {
    "states": "what the speakers (or the stack) publish of each node",
    "intents": "the policies",
    "claims": "the policies",
    "resources": "the policies",
    "selectors": "the policies",
    "services": "Services",
    "reaches": "the policies, Services and EndpointSlices",
    "pools": "Services and CiliumLoadBalancerIPPools",
    "workloads": "DaemonSets",
    "proxies_down": "DaemonSets and kube-proxy's pods",
    "restarts": "DaemonSets and the speakers' pods",
    "pulls": "DaemonSets, the speakers' pods and events",
    "runs": "the Leases in kube-system",
    "leases": "the Leases in kube-system",
    "leftovers": "the stack's own objects",
    "crds": "CustomResourceDefinitions",
    "certificates": "the API server, reached directly",
    "routers": "a router that can be asked (`--router-probe`)",
    "crowds": "a router that tells by which paths it forwards (FRR)",
}


def page() -> str:
    """The whole text."""
    return "\n".join((HEAD, *(line for title in THEMES for line in _theme(title))))


def _theme(title: str) -> Iterator[str]:
    yield f"## {title}\n"
    for rule in THEMES[title].RULES:
        yield from _rule(rule)


def _rule(rule: Rule) -> Iterator[str]:
    yield f"### {rule.name}\n"
    text = re.sub(r"\s*\(facts: [^)]*\)", "", inspect.cleandoc(rule.check.__doc__ or ""))
    first, _, rest = text.partition("\n\n")
    yield f"**{rule.severity}**: {first}\n"
    if rest:
        yield f"{rest}\n"
    if rule.needs:
        needed = list(dict.fromkeys(NEEDS[name] for name in rule.needs))
        yield f"Needs: {'; '.join(needed)}.\n"


if __name__ == "__main__":
    PATH.write_text(page(), encoding="utf-8")
