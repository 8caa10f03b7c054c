"""Runs a command that ends when its parent does, however the parent ends: ``python tied.py PARENT COMMAND...`` (Linux; elsewhere just the
command)."""

import ctypes
import os
import signal
import sys


def main() -> None:
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG; kept over exec
        if os.getppid() != parent:  # it ended before we were tied to it
            sys.exit(1)
    os.execvp(command[0], command)


main()
