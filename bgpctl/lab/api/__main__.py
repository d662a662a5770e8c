"""`python -m bgpctl.lab.api`: the API alone, in the foreground, until SIGTERM or ^C."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from threading import Event

from bgpctl.errors import BgpctlError
from bgpctl.lab.api.server import ApiServer


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bgpctl.lab.api", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 (the default): any free port")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (127.0.0.1)")
    parser.add_argument("--kubeconfig", type=Path, help="write a kubeconfig here (mode 0600)")
    parser.add_argument("--tls", action="store_true", help="HTTPS with a certificate made for this run")
    parser.add_argument("--no-controllers", action="store_true", help="leave objects alone")
    return parser.parse_args()


def main() -> int:
    """Serve until a signal comes; answers the exit code."""
    arguments, done = _arguments(), Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    server = ApiServer(
        port=arguments.port,
        host=arguments.host,
        tls=arguments.tls,
        controllers=not arguments.no_controllers,
    )
    try:
        server.start()
        if arguments.kubeconfig:
            server.write_kubeconfig(arguments.kubeconfig)
        print(f"Kubernetes API at {server.url}\nready", flush=True)
        done.wait()
    except BgpctlError as error:
        print(f"error: {error.message}\n{error.hint}", file=sys.stderr)
        return int(error.exit_code)
    finally:
        server.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
