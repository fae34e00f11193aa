"""Mails are what their templates say, and nothing that is put into one becomes a header."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceo_common.config import Smtp as Settings
from ceod.services.smtp import Smtp
from tests.ceod.test_openapi import ROOT

SMTP = Smtp(Settings("mail.example.org"), str(ROOT / "etc/templates"), "example.org")
MEMBER = {"uid": "jdoe", "cn": "Jane Doe", "program": "x", "terms": ["f2026"], "uid_number": 20001, "is_rep": False}
FACTS: dict[str, dict[str, Any]] = {
    "welcome": MEMBER, "announcement": {"members": [MEMBER], "operator": "office1"}, "password_reset": {"uid": "jdoe", "operator": "ctdalek"},
    "reminder": MEMBER | {"last_term": "f2026", "expires_on": "2027-02-01"}, "given_up": {"transaction": "t", "step": "s"},
    "overdue": {"cn": "Jane Doe", "loans": [{"title": "Compilers", "due_on": "2026-11-01"}]},
}
HEADERS = {"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Type", "Content-Transfer-Encoding", "MIME-Version"}


def test_every_template_has_facts_here() -> None:
    assert {path.stem for path in (ROOT / "etc/templates").glob("*.txt")} == set(FACTS)


@pytest.mark.parametrize("name", FACTS)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_nothing_becomes_a_header(name: str, text: str) -> None:
    hostile = {key: text if isinstance(value, str) else value for key, value in FACTS[name].items()}
    if "members" in hostile:
        hostile["members"] = [MEMBER | {"uid": text, "cn": text, "program": text}]
    if "loans" in hostile:
        hostile["loans"] = [{"title": text, "due_on": text}]
    for evil in (hostile, {key: f"{value}\r\nBcc: evil@example.org\r\n\r\nbody" if isinstance(value, str) else value for key, value in hostile.items()}):
        mail = SMTP.mail(name, "jdoe@example.org", "id", **evil)
        read = message_from_bytes(mail.as_bytes(), policy=default)
        assert set(read.keys()) == HEADERS
        assert read["To"] == "jdoe@example.org" and "\n" not in read["Subject"]


def test_an_address_that_would_be_two_is_refused() -> None:
    with pytest.raises(ValueError, match="linefeed"):
        SMTP.mail("welcome", "a@example.org\r\nBcc: b@example.org", "id", **MEMBER)
