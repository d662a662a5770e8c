"""What `preflight upgrade` prints: the whole of it as golden files, and the document for scripts."""

from __future__ import annotations

import json
from dataclasses import replace

from bgpctl.core.preflight.observed import NEVER_SEEN
from bgpctl.core.preflight.verdict import Case, Measured, Peering, Word, judge
from bgpctl.core.timing.profiles import find_profile
from bgpctl.errors import Exit
from bgpctl.queries.preflight import Report
from bgpctl.render import preflight
from bgpctl.render.envelope import plain_data
from bgpctl.render.formats import Page
from bgpctl.render.text import plain
from bgpctl.runbooks.command_line import CommandLine
from tests.support.golden import check_golden
from tests.unit.test_preflight_verdict import FACTS, GOOD, took

STARTED = replace(took(8), how="last start of its pod, until its sessions were up")
CASES = (
    Case("worker-1", took(3.2), STARTED, (GOOD,)),
    Case("worker-2", took(140), STARTED, (GOOD,)),
    Case("worker-3", Measured(how="ErrImagePull: no"), STARTED, (GOOD,), failed="ErrImagePull: no\x1b[2J"),
    Case("worker-4", took(3.2), Measured(how=NEVER_SEEN), (Peering(FACTS),)),
    Case("worker-5", took(3.2), Measured(how=NEVER_SEEN)),
    Case("worker-6", took(3.2), took(130), (replace(GOOD, profile=find_profile("frr")),)),
    Case("worker-7", Measured(how="time was up before it ended", least=600.0), STARTED, (GOOD,)),
)


def report(*cases: Case, late: tuple[str, ...] = ()) -> Report:
    return Report("quay.io/example/speaker:v2", "bgpctl", tuple(map(judge, cases)), late)


def test_golden() -> None:
    everything = report(*CASES, late=("worker-7",))
    for width, name in ((None, "preflight.txt"), (80, "preflight_80_columns.txt")):
        check_golden(name, preflight.text(Page(False, width), everything))


def test_the_whole_next_command_is_told() -> None:
    fits, slow = CASES[0], CASES[5]

    def told(found: Report) -> str:
        return "\n".join(plain(row) for row in preflight.text(Page(False, 40), found))

    do_it = "  bgpctl speaker upgrade --image quay.io/example/speaker:v2"
    assert f"{do_it}\n1 of 1 node fits" in told(report(fits))
    typed = CommandLine(("bgpctl", "--context", "prod", "preflight", "upgrade"))
    some = replace(report(fits), some=True, typed=typed)
    assert f"{do_it} --nodes worker-1 --context prod\n" in told(some)
    assert "speaker upgrade" not in told(replace(report(fits), provider="cilium"))
    assert "speaker upgrade" not in told(report(fits, slow))
    command = "bgpctl forecast worker-6 --set gracefulRestart.restartTimeSeconds=268"
    assert f"  {command} --context prod\n" in told(replace(report(fits, slow), typed=typed))


def test_exit_codes() -> None:
    fits, slow, _, unknown, *_ = CASES
    assert report(fits).exit_code is Exit.DONE
    assert report(fits, slow).exit_code is Exit.FAILED
    assert report(fits, unknown).exit_code is Exit.FAILED, "unknown never passes"
    assert report(fits, late=("worker-7",)).exit_code is Exit.DEADLINE
    assert preflight.summary(report(fits)) == "1 of 1 node fits"
    assert preflight.summary(report(*[fits] * 2)) == "2 of 2 nodes fit"
    many = preflight.summary(report(*[replace(slow, node=f"n-{number}") for number in range(9)]))
    assert many.endswith("would lose routes on n-0, n-1, n-2, n-3, n-4 and 4 more")


def test_the_document_keeps_what_is_unknown_unknown() -> None:
    found = json.loads(json.dumps(plain_data(preflight.document(report(*CASES)))))
    assert found["schema"] == "bgpctl/v1" and found["status"] == "failed"
    nodes = {one["node"]: one for one in found["nodes"]}
    assert nodes["worker-4"]["restart"] == {"word": "unknown", "how": NEVER_SEEN}
    assert "seconds" not in nodes["worker-4"]["peers"][0]
    assert nodes["worker-7"]["pull"]["atLeast"] == 600
    assert Word(nodes["worker-1"]["pull"]["word"]) is Word.REPORTED
