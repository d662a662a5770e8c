"""What a router does with a silent neighbour's routes when nobody configured it: one row per product.

A profile fills in what a session cannot tell (the stale cap, GoBGP's reading of the hold timer) and what
no session told yet. It holds defaults, not one router's configuration: what is "off" by default may be on,
so only `NEVER` is certain. Source of every row: facts/bgp.md section 4, with the quirks of its sections
2.3, 3.5, 3.6 and 3.8. Evidence tags: M measured, S read in source, D documentation, mem from memory.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf

from bgpctl.core.reading.addresses import parse_zoned
from bgpctl.core.state import placed
from bgpctl.errors import UsageError

# "The product has no stale timer of its own": the node's Restart Time alone bounds the wait.
NO_CAP = inf
# RFC 4271 section 10: the smallest factor by which an implementation may shorten its timers.
SHORTEST_TIMER = 0.75


class Switch(StrEnum):
    """A capability as the product ships it. `ON` and `OFF` are defaults that an operator may have changed."""

    NEVER = "never"
    OFF = "off"
    ON = "on"
    UNKNOWN = "unknown"


class CapStart(StrEnum):
    """From when the stale cap runs. Only from the drop does it end the wait for a node that stays away."""

    DROP = "session drop"
    RETURN = "re-establishment"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Profile:
    """How one product treats the routes of a neighbour that went away.

    `stale_cap` is S in seconds (`NO_CAP` = none, None = unknown). `hold_expiry_graceful`: are routes kept
    after the hold timer although the N bit was not negotiated (RFC 4724 says no, GoBGP does)?
    `..._long_lived`: the same, when RFC 9494 is in force (BIRD). `hard_reset_safe`: does a Hard Reset
    always flush (FRR before 10.7 can miss it)? `bfd_flushes`: does BFD down flush although graceful restart
    is on? None = unknown. `error_wait`: seconds (lowest, highest) for which it refuses the session after an
    error. `earliest_hold`: the part of the hold time after which its hold timer may run out already (RFC 4271
    section 10 lets a timer be shortened to three quarters; BIRD does it to this one too). `remembers`: a
    neighbor that had graceful restart once keeps it though a later session did not negotiate it.
    `watches_link`: do its routes go with its own link, at once (3.6)? None = not known: of
    GoBGP and OpenBGPD it depends on what tells them of the kernel's.
    """

    name: str
    product: str
    source: str
    graceful: Switch = Switch.UNKNOWN
    notification: Switch = Switch.UNKNOWN
    long_lived: Switch = Switch.UNKNOWN
    stale_cap: float | None = None
    stale_cap_start: CapStart = CapStart.UNKNOWN
    hold_expiry_graceful: bool | None = None
    hold_expiry_graceful_long_lived: bool | None = None
    hard_reset_safe: bool | None = None
    bfd_flushes: bool | None = None
    error_wait: tuple[float, float] | None = None
    earliest_hold: float = SHORTEST_TIMER
    remembers: bool = False
    watches_link: bool | None = None
    aliases: tuple[str, ...] = ()


UNKNOWN_ROUTER = Profile("unknown", "an unknown router", "facts/bgp.md 2.2: assume N and no stale cap")

_FRR_SOURCE = "bgp.md 4, 2.3, 3.4 f2, 3.5, 3.6: M 8.4.4, S 8.4-10.7; high"

FRR = Profile(
    name="frr",
    product="FRR 8.3 to 10.6",
    source=_FRR_SOURCE,
    graceful=Switch.ON,
    notification=Switch.ON,
    long_lived=Switch.OFF,
    stale_cap=360,
    stale_cap_start=CapStart.DROP,
    hold_expiry_graceful=False,
    hard_reset_safe=False,
    bfd_flushes=True,
    error_wait=(0.0, 0.0),
    earliest_hold=1.0,
    watches_link=True,
    aliases=("frr8.3", "frr8.4", "frr9", "frr10"),
)

FRR_NEW = replace(
    FRR, name="frr10.7", product="FRR 10.7 or newer", hard_reset_safe=True, aliases=("frr>=10.7",)
)

FRR_OLD = replace(
    FRR,
    name="frr8.2",
    product="FRR before 8.3",
    source="bgp.md 4: S; high",
    notification=Switch.NEVER,
    hard_reset_safe=True,
    aliases=("frr<8.3", "frr7"),
)

BIRD2 = Profile(
    name="bird2",
    product="BIRD 2",
    source="bgp.md 4, 3.2, 3.5, 3.7, 3.8: M 2.0.12, S (bgp_start_timer: 75 to 100 %); high",
    graceful=Switch.ON,
    notification=Switch.NEVER,
    long_lived=Switch.ON,
    stale_cap=NO_CAP,
    hold_expiry_graceful=False,
    hold_expiry_graceful_long_lived=True,
    hard_reset_safe=True,
    bfd_flushes=True,
    error_wait=(60.0, 300.0),
    watches_link=True,
    aliases=("bird",),
)

BIRD3 = replace(BIRD2, name="bird3", product="BIRD 3", source="bgp.md 4: S doc HEAD; high", aliases=())

GOBGP3 = Profile(
    name="gobgp3",
    product="GoBGP 3 or 4",
    source="bgp.md 4, 3.1, 3.2, 3.8: M 3.10, S; high",
    graceful=Switch.OFF,
    notification=Switch.OFF,
    long_lived=Switch.OFF,
    stale_cap=NO_CAP,
    hold_expiry_graceful=True,
    hold_expiry_graceful_long_lived=True,
    hard_reset_safe=True,
    error_wait=(5.0, 30.0),
    earliest_hold=1.0,
    remembers=True,
    aliases=("gobgp", "gobgp4"),
)

OPENBGPD7 = Profile(
    name="openbgpd7",
    product="OpenBGPD before 8.8",
    source="bgp.md 4, 3.1, 3.2, 3.8: M 7.7, man; high",
    graceful=Switch.ON,
    notification=Switch.NEVER,
    long_lived=Switch.NEVER,
    stale_cap=NO_CAP,
    hold_expiry_graceful=False,
    hold_expiry_graceful_long_lived=False,
    hard_reset_safe=True,
    error_wait=(30.0, 240.0),
    earliest_hold=1.0,
    aliases=("openbgpd",),
)

OPENBGPD88 = replace(
    OPENBGPD7,
    name="openbgpd8.8",
    product="OpenBGPD 8.8 or newer",
    source="bgp.md 4, 1 (RFC 8538): S; high",
    notification=Switch.OFF,
    stale_cap=180,
    stale_cap_start=CapStart.DROP,
    aliases=("openbgpd8",),
)

# Below: by documentation or from memory only. Whether their cap runs from the drop was not found, so it never
# shortens the worst case; what is `?` in the table stays unknown here.
_DOCUMENTED = (
    Profile(
        "junos",
        "Junos",
        "bgp.md 4: D juniper.net; high (LLGR mem)",
        graceful=Switch.ON,
        notification=Switch.ON,
        long_lived=Switch.ON,
        stale_cap=300,
        hard_reset_safe=True,
    ),
    Profile("iosxe", "Cisco IOS and IOS-XE", "bgp.md 4: mem, D for FTD; medium", Switch.OFF, stale_cap=360),
    Profile(
        "iosxr",
        "Cisco IOS-XR",
        "bgp.md 4: mem; medium",
        graceful=Switch.OFF,
        long_lived=Switch.OFF,
        stale_cap=360,
    ),
    Profile("nxos", "Cisco NX-OS", "bgp.md 4: mem, D model names; medium", Switch.ON, stale_cap=300),
    Profile(
        "eos",
        "Arista EOS",
        "bgp.md 4: D, cap mem; medium",
        graceful=Switch.ON,
        long_lived=Switch.OFF,
        stale_cap=300,
    ),
    Profile(
        "sros",
        "Nokia SR OS",
        "bgp.md 4: D YANG 26.3; high",
        graceful=Switch.OFF,
        notification=Switch.OFF,
        long_lived=Switch.OFF,
        stale_cap=360,
    ),
    Profile(
        "srlinux",
        "Nokia SR Linux",
        "bgp.md 4: D YANG 25.3; high",
        graceful=Switch.OFF,
        notification=Switch.NEVER,
        long_lived=Switch.NEVER,
        stale_cap=360,
    ),
    Profile("aoscx", "Aruba AOS-CX", "bgp.md 4: D hpe; medium", Switch.ON, stale_cap=150),
    Profile("dellos6", "Dell N (OS6)", "bgp.md 4: D; medium", Switch.ON, stale_cap=300),
    Profile("nsxt", "VMware NSX T0", "bgp.md 4: D; medium", Switch.ON, stale_cap=600),
    Profile(
        "exos",
        "Extreme EXOS",
        "bgp.md 4: D; medium",
        graceful=Switch.OFF,
        stale_cap=360,
        stale_cap_start=CapStart.RETURN,
    ),
    Profile("ocnos", "OcNOS", "bgp.md 4: D; medium", Switch.OFF, stale_cap=360),
    Profile("vrp", "Huawei VRP", "bgp.md 4: mem; low", Switch.OFF),
    Profile("routeros7", "MikroTik RouterOS 7", "bgp.md 4: D third party; low", long_lived=Switch.NEVER),
)

PROFILES: tuple[Profile, ...] = (
    UNKNOWN_ROUTER,
    FRR,
    FRR_NEW,
    FRR_OLD,
    BIRD2,
    BIRD3,
    GOBGP3,
    OPENBGPD7,
    OPENBGPD88,
    *_DOCUMENTED,
)


# What to write when the product does not matter, because its stale time is known.
STALE = "stale:SECONDS (stale:300 = it keeps stale routes for 300 seconds)"


def find_profile(name: str) -> Profile:
    """The profile called `name` (or one of its aliases), in any case. UsageError lists the names."""
    wanted = name.strip().lower()
    for profile in PROFILES:
        if wanted == profile.name or wanted in profile.aliases:
            return profile
    raise UsageError(
        f"no router profile is called {name!r}",
        f"profiles: {', '.join(_words(profile) for profile in PROFILES)}; or {STALE}",
    )


def _words(profile: Profile) -> str:
    also = " or ".join(profile.aliases)
    return f"{profile.name} (also {also})" if also else profile.name


def parse_peer_profile(text: str) -> tuple[str, Profile]:
    """`--peer-profile`: "ADDRESS=frr", "ADDRESS=stale:300" or "ADDRESS=frr,stale:300".

    Returns the peer's address in its canonical text and the profile. A stale cap that the user names runs
    from the session's drop. Raises UsageError.
    """
    address, _, spec = text.partition("=")
    if not spec.strip():
        raise UsageError(f"--peer-profile {text!r} has no profile", f"write ADDRESS=frr, or ADDRESS={STALE}")
    parts = [part.strip() for part in spec.split(",")]
    caps = [part.partition(":")[2] for part in parts if part.startswith("stale:")]
    names = [part for part in parts if not part.startswith("stale:")]
    if len(names) > 1 or len(caps) > 1:
        raise UsageError(
            f"--peer-profile {text!r} gives two answers", "write ADDRESS=NAME,stale:SECONDS at most"
        )
    profile = find_profile(names[0]) if names else UNKNOWN_ROUTER
    for cap in caps:
        profile = _with_stale_cap(profile, cap, text)
    return _canonical(address, text), profile


def _with_stale_cap(profile: Profile, value: str, text: str) -> Profile:
    if not (value.isascii() and value.isdigit()):
        raise UsageError(
            f"--peer-profile {text!r}: the stale time {value!r} is not a number of seconds",
            f"write ADDRESS={STALE}",
        )
    return replace(profile, stale_cap=float(value), stale_cap_start=CapStart.DROP, source="--peer-profile")


def _canonical(address: str, text: str) -> str:
    vrf, _, host = address.strip().rpartition("/")
    try:
        return placed(vrf, str(parse_zoned(host)))
    except ValueError as error:
        raise UsageError(
            f"--peer-profile {text!r}: {address!r} is not an IP address", "name the peer by its address"
        ) from error
