"""A real Prometheus that scrapes speakers by our PrometheusRule, and promtool."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import urllib3

from bgpctl.install.monitoring import SLOW_RUN, monitors
from bgpctl.install.settings import options
from tests.support.ports import free_port
from tests.support.wait import eventually

JOB = "bgpctl-system/bgpctl"
"""As the Prometheus operator calls the job of our PodMonitor: NAMESPACE/NAME."""

Rules = dict[str, Any]


def rules() -> Rules:
    """The file that the operator makes of our PrometheusRule."""
    spec: Rules = monitors(options())[1]["spec"]
    return spec


def hasty(slow: int = 2) -> Rules:
    """The same without patience, for a test that waits: a run is slow after `slow` seconds."""
    text = re.sub(r'"for": "[^"]*"', '"for": "0s"', json.dumps(rules()))
    assert f"> {SLOW_RUN}" in text
    found: Rules = json.loads(text.replace(f"> {SLOW_RUN}", f"> {slow}"))
    return found


def promtool(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(("promtool", *map(str, words)), capture_output=True, text=True, timeout=60)


class Prometheus:
    """Asked by its HTTP API (prometheus.io/docs, "HTTP API")."""

    def __init__(self, url: str) -> None:
        self._url = url

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an instant query. AssertionError where it is refused."""
        answer = urllib3.request(
            "GET", f"{self._url}/api/v1/query", fields={"query": expression}, retries=False, timeout=5
        ).json()
        assert answer["status"] == "success", f"{expression}: {answer}"
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def firing(self) -> set[tuple[str, str]]:
        """Alert and node of each that fires."""
        seen = self.query('ALERTS{alertstate="firing"}')
        return {(one["metric"]["alertname"], one["metric"].get("node", "")) for one in seen}


@contextlib.contextmanager
def prometheus(place: Path, targets: Mapping[str, str], file: Rules) -> Iterator[Prometheus]:
    """One that scrapes `targets` (node: ADDRESS:PORT) every second, with `file`'s rules, until the end."""
    (place / "rules.yml").write_text(json.dumps(file))
    (place / "prometheus.yml").write_text(json.dumps(_config(targets)))
    port = free_port()
    log = (place / "prometheus.log").open("wb")
    process = subprocess.Popen(
        (
            *(
                "prometheus",
                f"--config.file={place / 'prometheus.yml'}",
                f"--storage.tsdb.path={place / 'tsdb'}",
            ),
            f"--web.listen-address=127.0.0.1:{port}",
        ),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: _ready(url), 20, why=f"Prometheus is ready: {place / 'prometheus.log'}")
        yield Prometheus(url)
    finally:
        timer = threading.Timer(10, process.kill)
        timer.start()
        process.terminate()
        process.wait()
        timer.cancel()
        log.close()


def _ready(url: str) -> bool:
    with contextlib.suppress(urllib3.exceptions.HTTPError):
        return urllib3.request("GET", f"{url}/-/ready", retries=False, timeout=2).status == 200
    return False


def _config(targets: Mapping[str, str]) -> dict[str, Any]:
    statics = [
        {"targets": [target], "labels": {"node": node, "pod": f"bgpctl-speaker-{node}"}}
        for node, target in targets.items()
    ]
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [{"job_name": JOB, "static_configs": statics}],
    }
