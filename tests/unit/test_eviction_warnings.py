"""What a verdict carries besides itself: the first reason, every warning, and none for a pod that stays."""

from __future__ import annotations

from dataclasses import replace

from bgpctl.core.drain.eviction import (
    DAEMON_SET_REFUSED,
    LOCAL_STORAGE_REFUSED,
    UNMANAGED_EVICTED,
    EvictionOptions,
    PodVerdict,
    PodView,
    Verdict,
    verdicts,
    warnings,
)

NOW = 1_800_000_000.0
BARE = PodView("default", "bare", "u1")
BARE_EMPTY_DIR = replace(BARE, empty_dir=True)


def verdict(pod: PodView, options: EvictionOptions) -> PodVerdict:
    return verdicts([pod], {("default", "agent")}, options, NOW)[0]


def test_a_pod_of_a_dead_kubelet_is_kept_without_a_warning() -> None:
    """One second more than the timeout of a second is enough."""
    options = EvictionOptions(skip_wait_for_delete_timeout=1)
    found = verdict(replace(BARE, deletion_timestamp=NOW - 2), options)
    message = "deleted more than 1 s ago (--skip-wait-for-delete-timeout)"
    assert found == PodVerdict(found.pod, Verdict.KEEP, message)


def test_a_refused_pod_is_told_by_its_first_reason_and_keeps_what_a_flag_allowed() -> None:
    found = verdict(BARE_EMPTY_DIR, EvictionOptions(force=True))
    assert (found.message, found.warnings) == (LOCAL_STORAGE_REFUSED, (UNMANAGED_EVICTED,))
    both = verdict(BARE_EMPTY_DIR, EvictionOptions())
    assert (both.message, both.warnings, len(both.refusals)) == (LOCAL_STORAGE_REFUSED, (), 2)
    daemon = replace(BARE_EMPTY_DIR, controller_kind="DaemonSet", controller_name="agent")
    assert verdict(daemon, EvictionOptions()).message == DAEMON_SET_REFUSED


def test_nothing_is_said_to_be_deleted_while_the_pod_is_refused() -> None:
    assert warnings([verdict(BARE_EMPTY_DIR, EvictionOptions(force=True))]) == ()
