"""The columns that listings know are the fields of what the API answers."""

from __future__ import annotations

import pytest

from ceo import manual
from ceo.cli.table import KEYS


@pytest.mark.parametrize("kind", [kind for kind in KEYS if kind[0].isupper()])
def test_every_field_is_a_column(kind: str) -> None:
    beside = {"Summary": {"host"}}.get(kind, set())
    assert set(KEYS[kind].split()) == set(manual.keys_of(kind)) | beside
