"""A program for the supervisor to run: waits for a signal, and leaves a child behind if killed."""

import os
import signal
import sys

if __name__ == "__main__":
    sys.stderr.write(f"hello from {sys.argv[1]}\n")
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.pause()
