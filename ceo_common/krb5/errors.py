"""What libkrb5 and libkadm5 report, as one exception that says at which stage."""

from __future__ import annotations

import re


class Krb5Error(Exception):
    """`code` is the com_err number, `stage` the C function's name, the text what the library says."""

    def __init__(self, code: int, stage: str, message: str) -> None:
        super().__init__(code, stage, message)
        self.code = code
        self.stage = stage
        self.message = message

    def __str__(self) -> str:
        return f"{self.stage}: {self.message}"


def gssapi_reason(told: object) -> str:
    """Why GSSAPI failed: its message holds the mechanism's own words at the end, and some of them say too little."""
    found = re.search(r"Minor \(\d+\): (.*)", str(told), re.DOTALL)
    reason = found[1] if found else str(told)
    if "skew" in reason:
        return "the clocks differ by more than five minutes; set this machine's right (timedatectl)"
    return reason
