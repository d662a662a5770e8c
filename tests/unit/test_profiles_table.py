"""The vendor table of facts/bgp.md 4, kept twice: a value changes only where somebody looked it up again."""

from __future__ import annotations

from math import inf

import pytest

from bgpctl.core.timing.profiles import CapStart, Profile, Switch, find_profile

# Switches: graceful restart, N bit, long-lived. Flags: kept after hold expiry, so with long-lived, every
# Hard Reset obeyed, BFD flushes. Last: refuses after an error (s), earliest hold expiry, remembers,
# watches its link.
TABLE = """
unknown      unknown unknown unknown    ?     unknown  ?   ?   ?   ?    ?       0.75  no   ?
frr          on      on      off        360   drop     no  ?   no  yes  0-0     1     no   yes
frr10.7      on      on      off        360   drop     no  ?   yes yes  0-0     1     no   yes
frr8.2       on      never   off        360   drop     no  ?   yes yes  0-0     1     no   yes
bird2        on      never   on         none  unknown  no  yes yes yes  60-300  0.75  no   yes
bird3        on      never   on         none  unknown  no  yes yes yes  60-300  0.75  no   yes
gobgp3       off     off     off        none  unknown  yes yes yes ?    5-30    1     yes  ?
openbgpd7    on      never   never      none  unknown  no  no  yes ?    30-240  1     no   ?
openbgpd8.8  on      off     never      180   drop     no  no  yes ?    30-240  1     no   ?
junos        on      on      on         300   unknown  ?   ?   yes ?    ?       0.75  no   ?
iosxe        off     unknown unknown    360   unknown  ?   ?   ?   ?    ?       0.75  no   ?
iosxr        off     unknown off        360   unknown  ?   ?   ?   ?    ?       0.75  no   ?
nxos         on      unknown unknown    300   unknown  ?   ?   ?   ?    ?       0.75  no   ?
eos          on      unknown off        300   unknown  ?   ?   ?   ?    ?       0.75  no   ?
sros         off     off     off        360   unknown  ?   ?   ?   ?    ?       0.75  no   ?
srlinux      off     never   never      360   unknown  ?   ?   ?   ?    ?       0.75  no   ?
aoscx        on      unknown unknown    150   unknown  ?   ?   ?   ?    ?       0.75  no   ?
dellos6      on      unknown unknown    300   unknown  ?   ?   ?   ?    ?       0.75  no   ?
nsxt         on      unknown unknown    600   unknown  ?   ?   ?   ?    ?       0.75  no   ?
exos         off     unknown unknown    360   return   ?   ?   ?   ?    ?       0.75  no   ?
ocnos        off     unknown unknown    360   unknown  ?   ?   ?   ?    ?       0.75  no   ?
vrp          off     unknown unknown    ?     unknown  ?   ?   ?   ?    ?       0.75  no   ?
routeros7    unknown unknown never      ?     unknown  ?   ?   ?   ?    ?       0.75  no   ?
"""
ROWS = [line.split() for line in TABLE.split("\n") if line]
ALIASES = {
    "frr": ("frr8.3", "frr8.4", "frr9", "frr10"),
    "frr10.7": ("frr>=10.7",),
    "frr8.2": ("frr<8.3", "frr7"),
    "bird2": ("bird",),
    "gobgp3": ("gobgp", "gobgp4"),
    "openbgpd7": ("openbgpd",),
    "openbgpd8.8": ("openbgpd8",),
}
FLAG = {"yes": True, "no": False, "?": None}
PRODUCTS = {
    "unknown": "an unknown router",
    "frr": "FRR 8.3 to 10.6",
    "frr10.7": "FRR 10.7 or newer",
    "frr8.2": "FRR before 8.3",
    "bird2": "BIRD 2",
    "bird3": "BIRD 3",
    "gobgp3": "GoBGP 3 or 4",
    "openbgpd7": "OpenBGPD before 8.8",
    "openbgpd8.8": "OpenBGPD 8.8 or newer",
    "junos": "Junos",
    "eos": "Arista EOS",
    "exos": "Extreme EXOS",
    "ocnos": "OcNOS",
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row(row: list[str]) -> None:
    name, graceful, notification, long_lived, cap, start, *flags, wait, earliest, remembers, watches = row
    found = find_profile(name)
    expiry, expiry_long_lived, hard_reset_safe, bfd_flushes = (FLAG[flag] for flag in flags)
    assert found == Profile(
        name,
        PRODUCTS.get(name, found.product),
        found.source,
        Switch(graceful),
        Switch(notification),
        Switch(long_lived),
        {"?": None, "none": inf}[cap] if cap in ("?", "none") else float(cap),
        {"drop": CapStart.DROP, "return": CapStart.RETURN, "unknown": CapStart.UNKNOWN}[start],
        expiry,
        expiry_long_lived,
        hard_reset_safe,
        bfd_flushes,
        None if wait == "?" else tuple(map(float, wait.split("-"))),  # type: ignore[arg-type]
        float(earliest),
        FLAG[remembers] is True,
        FLAG[watches],
        ALIASES.get(name, ()),
    )
