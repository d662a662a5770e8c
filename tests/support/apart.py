"""One cell of a table in a process of its own, which nothing of another cell can disturb."""

from __future__ import annotations

import subprocess
import sys


def run_apart(module: str, *words: str, seconds: float) -> tuple[str, str]:
    """What `python -m module words…` printed, and its last word of what went wrong. One that takes longer
    than `seconds` hangs: it is told to end, and takes down what it made."""
    argv = (sys.executable, "-m", module, *words)
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.terminate()
        out, err = process.communicate()
    except BaseException:  # ^C reaches it too, where it has our terminal
        process.terminate()
        process.wait()
        raise
    return out, (err.strip().splitlines() or ["it said nothing"])[-1]
