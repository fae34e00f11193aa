"""What the API answers to requests of every kind, held against its own description."""

from __future__ import annotations

from typing import Any

import requests_gssapi
import schemathesis
from hypothesis import HealthCheck, settings

from tests.club.conformance import auth, keeps_its_word, schema

__all__ = ["auth"]


@schema.parametrize()  # type: ignore[untyped-decorator]
@settings(max_examples=20, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
def test_the_api_keeps_its_word(case: schemathesis.Case[Any], auth: dict[str, requests_gssapi.HTTPSPNEGOAuth]) -> None:
    keeps_its_word(case, auth)
