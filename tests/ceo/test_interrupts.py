"""Signals that end a command, also where Python would drop them."""

from __future__ import annotations

import subprocess
import sys

import pytest

_IN_A_DESTRUCTOR = """
import os, signal, sys, time
from ceo import interrupts

class Dies:
    def __del__(self):
        os.kill(os.getpid(), getattr(signal, sys.argv[1]))
        time.sleep(0.001)

interrupts.catch()
try:
    Dies()
    time.sleep(5)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGQUIT", "SIGINT"])
def test_a_signal_in_a_destructor_ends_the_command_too(name: str) -> None:
    words = [sys.executable, "-c", _IN_A_DESTRUCTOR, name]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted\n", "")
