"""What runs write on a cluster is read by runs of other versions, which go on with it: its names stay."""

from __future__ import annotations

from bgpctl.runbooks import (
    baseline,
    cluster,
    drain_steps,
    estimated,
    journal,
    kept,
    perform,
    proof,
    restart_steps,
    restore_steps,
    soaked,
)


def test_the_fields_of_a_journal() -> None:
    assert (journal.ANNOTATION, journal.VERSION) == ("bgpctl.io/run", 1)
    later = "leaves baselines witnesses locals ending options provider prior request clock counted"
    assert set(later.split()) == journal.LATER, "one without them is read, too"
    assert set(["provider", "prior", "request", "clock", "counted"]) == journal.UNSAID
    assert journal.COMMANDS == ("drain", "restore", "restart")


def test_the_marks_from_which_a_wait_goes_on() -> None:
    assert (journal.AGAIN, baseline.ASKED, soaked.SOAKING) == ("GoneOnWith", "Asked ", "Soaking")
    assert (drain_steps.RELABELLED, drain_steps.PULLED) == ("Relabelled", "Pulled")
    assert drain_steps.SHUTTING_DOWN == "ShutdownCommand"
    assert estimated.SEEN == ("SawWithdrawn", "SawRecord", "SawEmpty", "SawEnded", "SawStarted")
    assert (restore_steps.RESELECTED, restore_steps.SENT) == ("Reselected", "SawAnnounced")
    assert (restart_steps.BEFORE, restart_steps.ASKED) == ("SpeakerStarted", "RestartAsked")
    assert journal.OF_OWN_CLOCK == ("SpeakerStarted", "SawRecord"), (
        "the API server's clock moves none of these"
    )


def test_the_evidence() -> None:
    told = "by routers relabelledTime goneTime secondsAfterRelabel why worstSeconds until missing"
    assert (*told.split(), "assumed", "earlier") == journal.OF_PROOF
    assert (restart_steps.POD, restart_steps.SPEAKER) == ("pod", "speaker")


def test_the_steps_that_are_undone_with_a_relabel() -> None:
    assert drain_steps.LEAVING == ("Withdrawn", "Closed", "Settled", "ShutDown")
    assert proof.GONE_PHASES == ("Withdrawn", "Idle")


def test_what_the_next_run_does_because_the_one_before_was_asked_to() -> None:
    """Nothing that goes past a guard, loses data, dials, or runs a program."""
    assert (
        *("--order", "--provider", "--reason", "--settle", "--soak", "--expect", "--deselect-label"),
        *("--pod-selector", "--namespace", "--require-confirmed", "--no-ignore-daemonsets"),
    ) == kept.INHERITED
    assert (
        *("--require-confirmed", "--assume-dead", "--force", "--delete-emptydir-data", "--disable-eviction"),
        *("--ignore-daemonsets", "--allow-last-path", "--allow-address-gap", "--beside-another-stack"),
        "--allow-route-loss",
    ) == kept.SWITCHES
    assert kept.REPEATABLE == ("--peer-profile", "--router-probe")
    assert kept.COMMANDS == ("--shutdown-command", "--restart-command")
    assert kept.OF_ATTEMPT == ("--timeout",)


def test_what_others_are_asked_and_answer() -> None:
    """kured's DaemonSet is listed by its name; an API server answers 422 where a `test` of a patch fails."""
    assert cluster.KURED == "/apis/apps/v1/namespaces/kube-system/daemonsets"
    assert cluster.KURED_ONLY == {"fieldSelector": "metadata.name=kured"}
    assert (perform.TEST_FAILED, perform.FENCE) == (422, "bgpctl.io/fence")
