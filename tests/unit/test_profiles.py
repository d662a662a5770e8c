"""The router profiles: found by name, overridden by the user, and consistent with each other."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgpctl.core.timing.profiles import (
    NO_CAP,
    PROFILES,
    UNKNOWN_ROUTER,
    CapStart,
    Profile,
    Switch,
    find_profile,
    parse_peer_profile,
)
from bgpctl.errors import UsageError

NAMES = [name for profile in PROFILES for name in (profile.name, *profile.aliases)]


def test_every_name_and_alias_is_unique_and_lower_case() -> None:
    assert len(NAMES) == len(set(NAMES))
    assert all(name == name.lower() and "," not in name and ":" not in name for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_found_in_any_case(name: str) -> None:
    profile = find_profile(name.upper())
    assert name in (profile.name, *profile.aliases)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_every_row_names_its_source_and_has_sane_values(profile: Profile) -> None:
    assert "bgp.md" in profile.source
    assert profile.stale_cap is None or profile.stale_cap > 0
    if profile.error_wait:
        assert 0 <= profile.error_wait[0] <= profile.error_wait[1]
    if profile.notification is Switch.NEVER:
        assert profile.hard_reset_safe is not False, "it cannot miss what it treats as any NOTIFICATION"


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("frr", "notification", Switch.ON),
        ("frr", "stale_cap", 360),
        ("frr", "stale_cap_start", CapStart.DROP),
        ("frr", "hard_reset_safe", False),
        ("frr10.7", "hard_reset_safe", True),
        ("frr<8.3", "notification", Switch.NEVER),
        ("bird2", "notification", Switch.NEVER),
        ("bird2", "stale_cap", NO_CAP),
        ("bird2", "hold_expiry_graceful_long_lived", True),
        ("gobgp3", "hold_expiry_graceful", True),
        ("gobgp3", "graceful", Switch.OFF),
        ("openbgpd7", "notification", Switch.NEVER),
        ("openbgpd8.8", "stale_cap", 180),
        ("junos", "stale_cap", 300),
        ("junos", "notification", Switch.ON),
        ("aoscx", "stale_cap", 150),
        ("nsxt", "stale_cap", 600),
        ("srlinux", "graceful", Switch.OFF),
        ("exos", "stale_cap_start", CapStart.RETURN),
    ],
)
def test_rows_of_the_vendor_table(name: str, field: str, value: object) -> None:
    assert getattr(find_profile(name), field) == value


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        find_profile("quagga")
    assert "quagga" in caught.value.message
    assert all(profile.name in caught.value.hint for profile in PROFILES)
    listed = caught.value.hint.translate(str.maketrans("(),;", "    ")).split()
    assert set(NAMES) <= set(listed), "every word that is accepted, aliases too"


@pytest.mark.parametrize(
    ("text", "address", "name", "cap"),
    [
        ("10.0.0.1=frr", "10.0.0.1", "frr", 360),
        ("10.0.0.1=stale:300", "10.0.0.1", "unknown", 300),
        ("2001:DB8:0::1=bird2", "2001:db8::1", "bird2", NO_CAP),
        (" 10.0.0.1 = gobgp , stale:7", "10.0.0.1", "gobgp3", 7),
        ("fe80::1=stale:7,frr", "fe80::1", "frr", 7),
    ],
)
def test_peer_profiles_are_read(text: str, address: str, name: str, cap: float) -> None:
    found, profile = parse_peer_profile(text)
    assert (found, profile.name, profile.stale_cap) == (address, name, cap)


def test_a_cap_given_by_the_user_runs_from_the_drop() -> None:
    assert parse_peer_profile("::1=exos,stale:9")[1].stale_cap_start is CapStart.DROP
    assert UNKNOWN_ROUTER.stale_cap is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "frr",
        "10.0.0.1",
        "10.0.0.1=",
        "=frr",
        "router-1=frr",
        "10.0.0.0/8=frr",
        "10.0.0.1=quagga",
        "10.0.0.1=stale:",
        "10.0.0.1=stale:-1",
        "10.0.0.1=stale:1.5",
        "10.0.0.1=stale:²",
        "10.0.0.1=frr,bird2",
        "10.0.0.1=stale:1,stale:2",
        "10.0.0.1=frr,",
    ],
)
def test_faulty_peer_profiles_are_usage_errors_with_a_hint(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_peer_profile(text)
    assert caught.value.hint


@given(st.text(max_size=40))
def test_no_text_makes_anything_but_a_usage_error(text: str) -> None:
    with suppress(UsageError):
        parse_peer_profile(text)


@pytest.mark.parametrize("text", ["10.0.0.1", "10.0.0.1=", "10.0.0.1= "])
def test_a_peer_without_a_profile_is_told_how_one_is_written(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_peer_profile(text)
    assert str(caught.value) == f"--peer-profile {text!r} has no profile"


def test_a_cap_of_the_user_is_the_users_word() -> None:
    assert parse_peer_profile("10.0.0.1=frr,stale:300")[1].source == "--peer-profile"
