"""What reading an object that may own nodes gives: a CiliumBGPPeeringPolicy or a CiliumBGPClusterConfig."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from bgpctl.core.reading.selectors import LabelSelector
from bgpctl.errors import Problem

T_co = TypeVar("T_co", covariant=True)


class Owner(NamedTuple):
    """Which object has a node. No name = none."""

    kind: str = ""
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


NO_OWNER = Owner()


@dataclass(frozen=True, slots=True)
class Claim(Generic[T_co]):
    """One object that may own nodes. `value` is None exactly when there are problems; `node_selector_valid`
    says whether it told which nodes it is for nevertheless."""

    owner: Owner
    value: T_co | None
    node_selector: LabelSelector | None = None
    node_selector_valid: bool = True
    created: str = ""
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()

    @property
    def name(self) -> str:
        return self.owner.name

    def selects(self, labels: Mapping[str, str], previous: Owner) -> bool:
        """A selector that does not parse selects only the node that its object has (`previous`)."""
        if not self.node_selector_valid:
            return self.owner == previous
        return self.node_selector is None or self.node_selector.matches(labels)
