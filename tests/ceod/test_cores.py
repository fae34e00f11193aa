"""What holds keys leaves no core behind."""

from __future__ import annotations

import subprocess
import sys

_PR_GET_DUMPABLE = 3


def test_a_process_that_holds_keys_is_not_dumpable() -> None:
    code = (
        "import ctypes; from ceod.helpers.wire import keep_out_of_cores; libc = ctypes.CDLL(None); "
        f"before = libc.prctl({_PR_GET_DUMPABLE}, 0, 0, 0, 0); keep_out_of_cores(); "
        f"print(before, libc.prctl({_PR_GET_DUMPABLE}, 0, 0, 0, 0))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1 0\n"
