"""The kubeconfig by which other programs reach the lab's API. It holds a token: files are made 0600."""

from __future__ import annotations

import base64
import os
from pathlib import Path

NAME = "bgpctl-lab"


def text(url: str, token: str, certificate: str = "") -> str:
    """The YAML text. `certificate` (PEM) is the authority to trust when `url` is https."""
    trust = ""
    if certificate:
        encoded = base64.b64encode(certificate.encode()).decode()
        trust = f"\n    certificate-authority-data: {encoded}"
    return f"""\
apiVersion: v1
kind: Config
current-context: {NAME}
clusters:
- name: {NAME}
  cluster:
    server: {url}{trust}
contexts:
- name: {NAME}
  context:
    cluster: {NAME}
    user: {NAME}
    namespace: default
users:
- name: {NAME}
  user:
    token: {token}
"""


def write(path: Path, content: str) -> None:
    """Replace the file at `path` as a whole; nobody else can read it at any moment."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(content)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
