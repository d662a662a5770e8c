"""What the operator asked for: the options of a drain, a restore and a restart, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bgpctl.core.drain.eviction import EvictionOptions
from bgpctl.core.timing.profiles import Profile
from bgpctl.runbooks.command_line import CommandLine
from bgpctl.runbooks.kept import Options

ORDERS = ("guide", "withdraw-first")

PROBE_FLAG = "--router-probe"

DEFAULT_TIMEOUT = 600.0  # kubectl's default is for ever; a change window is not (drain.md §1.4)
DEFAULT_SETTLE = 2.0


@dataclass(frozen=True, slots=True)
class DrainOptions:
    """`soak`: for how many seconds routes are announced with GRACEFUL_SHUTDOWN before they are withdrawn.
    `order` guide = evict, then withdraw; withdraw-first = the reverse. `deselect_label` KEY=VALUE (KEY- to
    remove) overrides the label that is changed. `probes` are router probes in parse_probe's text form,
    written in `probes_in`, `profiles` router profiles by peer address. `shutdown_command` is an argv template
    ({node}). `lifted`: the flags that turn a guard's refusal into a warning. `require_confirmed`: only a
    router's word ends the wait; `assume_dead`: a silent speaker is dead. `typed`: the command as it was
    typed, None = the plain one. `asked`: what the journal keeps of it, with what this run inherits from the
    one it goes on with (`inherited`). `after`: of a plan, the nodes that are out by the time it begins.
    `provider`: who speaks BGP on the node, "" = whom the cluster has."""

    node: str
    order: str = "guide"
    timeout: float = DEFAULT_TIMEOUT
    settle: float = DEFAULT_SETTLE
    soak: float = 0.0
    deselect_label: str | None = None
    shutdown_command: tuple[str, ...] = ()
    eviction: EvictionOptions = field(default_factory=EvictionOptions)
    probes: tuple[str, ...] = ()
    probes_in: str = PROBE_FLAG
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    lifted: frozenset[str] = frozenset()
    max_unavailable: int = 1
    take_over: bool = False
    require_confirmed: bool = False
    assume_dead: bool = False
    typed: CommandLine | None = None
    asked: Options = field(default_factory=dict)
    inherited: Options = field(default_factory=dict)
    provider: str = ""
    after: tuple[str, ...] = ()

    @property
    def command(self) -> CommandLine:
        return self.typed or CommandLine(("bgpctl", "node", "drain", self.node))


@dataclass(frozen=True, slots=True)
class RestoreOptions:
    """As in DrainOptions."""

    node: str
    timeout: float = DEFAULT_TIMEOUT
    probes: tuple[str, ...] = ()
    take_over: bool = False
    typed: CommandLine | None = None
    asked: Options = field(default_factory=dict)
    provider: str = ""

    @property
    def command(self) -> CommandLine:
        return self.typed or CommandLine(("bgpctl", "node", "restore", self.node))


@dataclass(frozen=True, slots=True)
class RestartOptions:
    """`command` is an argv template ({node}); without one the speaker's pod (`pod_selector`, `namespace` "" =
    any) is deleted. `expected` is how many seconds a restart may take: routers must keep routes longer."""

    node: str
    command: tuple[str, ...] = ()
    pod_selector: str = ""
    namespace: str = ""
    expected: float = 30.0
    allow_route_loss: bool = False
    timeout: float = DEFAULT_TIMEOUT
    probes: tuple[str, ...] = ()
    take_over: bool = False
    typed: CommandLine | None = None
    asked: Options = field(default_factory=dict)
    provider: str = ""

    @property
    def command_line(self) -> CommandLine:
        return self.typed or CommandLine(("bgpctl", "speaker", "restart", self.node))
