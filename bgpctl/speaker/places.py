"""Where a speaker keeps its files when nobody said where, and what they are called."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

STATUS_SOCKET = "status.sock"


def base() -> Path:
    """The directory of this user's speakers, each in one of its own; made by the first speaker, mode 0700."""
    return Path(tempfile.gettempdir()) / f"bgpctl-{os.getuid()}"
