"""Tell how much memory this process needed at its highest."""

from __future__ import annotations

import sys
from pathlib import Path


def forget_peak() -> None:
    """Let the kernel forget the highest memory so far, where it can (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return  # the figure is then the highest since the process started


def peak_mb() -> float | None:
    """Return the highest resident memory since :func:`forget_peak`, in MB of 1024 * 1024 bytes.

    Returns:
        The figure; since the process started where the system cannot forget (macOS), None where it
        does not tell (Windows).
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return next(int(x.split()[1]) for x in status.splitlines() if x.startswith("VmHWM")) / 1024
    except (OSError, StopIteration):
        if sys.platform == "win32":
            return None
    import resource  # noqa: PLC0415

    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return highest / (1024 * 1024 if sys.platform == "darwin" else 1024)
