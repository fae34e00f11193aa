"""What the API answers to reads, held against its own description; to everything, in the soak."""

from __future__ import annotations

from typing import Any

import requests_gssapi
import schemathesis
from hypothesis import HealthCheck, settings

from tests.club.conformance import auth, keeps_its_word, schema

__all__ = ["auth"]


@schema.include(method="GET").parametrize()  # type: ignore[untyped-decorator]
@settings(max_examples=2, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
def test_what_is_read_is_as_described(case: schemathesis.Case[Any], auth: dict[str, requests_gssapi.HTTPSPNEGOAuth]) -> None:
    keeps_its_word(case, auth)
