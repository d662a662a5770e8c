"""The text that ExaBGP is given: golden files, each also read by ExaBGP's own parser, and what is refused.

`python -m tests.unit.test_exabgp_config` writes the golden files anew.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from ipaddress import IPv4Address, ip_address
from pathlib import Path

import pytest

from bgpctl.core.model import IPV4, Family, Peer, Secret
from bgpctl.errors import UsageError
from bgpctl.exabgp.config import describe, render_config

GOLDEN = Path(__file__).parent / "data" / "exabgp"
RELAY = ("/bin/sh", "-I", "-S", "/usr/lib/bgpctl/relay.py", "/run/bgpctl/engine")

PLAIN = Peer(
    "65001/10.0.0.1", "65001", ip_address("10.0.0.1"), 64512, 65001, router_id=IPv4Address("10.0.0.11")
)
SIX = replace(
    PLAIN,
    name="lab/tor 2 ünï&=",
    address=ip_address("fd00::1"),
    local_address=ip_address("fd00::11"),
    port=1790,
    asn=65001,
    families=(IPV4,),
)
RICH = replace(
    PLAIN,
    name="65001/10.0.0.2",
    address=ip_address("10.0.0.2"),
    local_address=ip_address("10.0.0.11"),
    local_port=1179,
    hold_time=9,
    keepalive_time=2,
    connect_retry_time=5,
    multihop_ttl=4,
    restart_time=4095,
    password=Secret("p4ss w\"o'rd;}\\#é"),
)

CASES: dict[str, tuple[Peer, ...]] = {
    "no-peers": (),
    "plain": (PLAIN,),
    "everything": (RICH, SIX, PLAIN),
}


@pytest.mark.parametrize("name", CASES)
def test_golden(name: str) -> None:
    assert render_config(CASES[name], RELAY) == (GOLDEN / f"{name}.conf").read_text()


def test_a_peer_of_any_as_is_learnt_from_its_open() -> None:
    assert "  peer-as auto;" in render_config((replace(PLAIN, asn=0),), RELAY).splitlines()


@pytest.mark.parametrize("name", CASES)
def test_exabgp_reads_it(name: str, tmp_path: Path) -> None:
    """The real parser takes the golden file, and finds in it what we meant."""
    program = (
        "import sys\n"
        "from exabgp.environment import getenv\n"
        "from exabgp.logger import log\n"
        "log.init(getenv())\n"
        "from exabgp.configuration.configuration import Configuration\n"
        "c = Configuration([sys.argv[1]])\n"
        "assert c.reload() is True, str(c.error)\n"
        "for n in c.neighbors.values():\n"
        "    print(n['peer-address'], n['description'], n['md5-password'], n['connect'], n['hold-time'],\n"
        "          n['capability']['graceful-restart'], n['manual-eor'], n['adj-rib-in'],\n"
        "          len(n.families()))\n"
    )
    path = tmp_path / "exabgp.conf"
    path.write_text(render_config(CASES[name], RELAY))
    environment = {**os.environ, "EXABGP_ENVFILE": os.devnull}
    # A parser of another process: ExaBGP keeps its settings in globals.
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=30,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = [line for line in done.stdout.splitlines() if " peer=" in line]
    expected = [
        f"{peer.address} {describe(peer)} {_password(peer)} {peer.port} {peer.hold_time} "
        f"{peer.restart_time or False} True False {len(peer.families)}"
        for peer in CASES[name]
    ]
    assert sorted(found) == sorted(expected)


def _password(peer: Peer) -> str | None:
    return "cDRzcyB3Im8ncmQ7fVwjw6k=" if peer.password else None


def test_no_golden_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.conf")} == set(CASES)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"restart_time": 0}, "restart time 0"),
        ({"restart_time": 4096}, "restart time 4096"),
        ({"hold_time": 2}, "hold time 2"),
        ({"hold_time": 65536}, "hold time"),
        ({"port": 0}, "port 0"),
        ({"local_port": 70000}, "local port 70000"),
        ({"multihop_ttl": 0}, "TTL 0"),
        ({"password": Secret("")}, "1 to 80"),
        ({"password": Secret("é" * 41)}, "1 to 80"),
        ({"families": (Family("l2vpn", "evpn"),)}, "l2vpn/evpn"),
    ],
)
def test_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError) as refused:
        render_config((replace(PLAIN, **change),), RELAY)  # type: ignore[arg-type]
    assert words in refused.value.message
    assert PLAIN.name in refused.value.message


def test_a_refused_password_is_not_told() -> None:
    with pytest.raises(UsageError) as refused:
        render_config((replace(PLAIN, password=Secret("secret" * 20)),), RELAY)
    assert "secret" not in refused.value.message + refused.value.hint


def test_what_exabgp_would_take_for_one_neighbor() -> None:
    twin = replace(PLAIN, name="other/10.0.0.1", port=1790)
    with pytest.raises(UsageError, match=r"other/10\.0\.0\.1"):
        render_config((PLAIN, twin), RELAY)
    apart = replace(twin, local_address=ip_address("10.0.0.12"))
    assert render_config((PLAIN, apart), RELAY).count("neighbor 10.0.0.1 {") == 2
    listening = [replace(peer, local_port=179) for peer in (PLAIN, apart)]
    with pytest.raises(UsageError, match="same session"):
        render_config(listening, RELAY)


def test_a_path_with_both_quotes_cannot_be_run() -> None:
    assert "'/opt/my \"py\"\\\\thon'" in render_config((), ('/opt/my "py"\\thon',))
    with pytest.raises(UsageError):
        render_config((), ('/opt/"py"\'thon',))


if __name__ == "__main__":
    for case, peers in CASES.items():
        (GOLDEN / f"{case}.conf").write_text(render_config(peers, RELAY))
