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
    """Why GSSAPI failed, from its message.

    The words of the mechanism say it; where it has none, those of GSSAPI itself.
    """
    words = re.search(
        r"Major \(\d+\): (.*), Minor \(\d+\): (.*)", str(told).replace("\0", ""), re.DOTALL
    )
    reason = str(told)
    if words is not None:
        reason = words[1] if words[2] in ("Success", "Unknown error") else words[2]
    if "skew" in reason or "not yet valid" in reason:  # a slow clock finds tickets of the future
        return "the clocks differ by more than five minutes; set this machine's right (timedatectl)"
    if reason == "Request is a replay":
        return "the same token was sent before; send a new one with each request"
    return reason
