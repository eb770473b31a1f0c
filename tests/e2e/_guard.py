"""Kills what a test session started once that session is gone, however it ended.

It runs as a process of its own and reads ``+PID`` and ``-PID`` from its standard input, one a line,
as process groups come and go. At the end of the input, which comes even if the session was killed,
it kills the groups left and removes the folders given as arguments.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys


def main() -> None:
    groups: set[int] = set()
    for line in sys.stdin:
        change, group = line[0], int(line[1:])
        (groups.add if change == "+" else groups.discard)(group)
    for group in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
    for folder in sys.argv[1:]:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
