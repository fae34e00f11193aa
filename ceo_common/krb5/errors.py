"""What libkrb5 and libkadm5 report, as one exception that says at which stage."""

from __future__ import annotations


class Krb5Error(Exception):
    """`code` is the com_err number, `stage` the C function's name, the text what the library says."""

    def __init__(self, code: int, stage: str, message: str) -> None:
        super().__init__(code, stage, message)
        self.code = code
        self.stage = stage
        self.message = message

    def __str__(self) -> str:
        return f"{self.stage}: {self.message}"
