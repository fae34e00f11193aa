"""Mails are what their templates say, and nothing that is put into one becomes a header."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import compat32, default
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
        assert_rfc_2047(mail.as_bytes())


def assert_rfc_2047(raw: bytes) -> None:
    """By raw bytes: the head is ASCII, its lines are short, and each encoded word has 75 characters at most."""
    head = raw.partition(b"\r\n\r\n")[0]
    assert head.isascii()
    assert b"\n" not in head.replace(b"\r\n", b"")
    assert b"\r" not in head.replace(b"\r\n", b"")
    assert max(map(len, re.findall(rb"=\?utf-8\?[bq]\?[^?]*\?=", head, re.IGNORECASE)), default=0) <= 75
    assert [line for line in head.split(b"\r\n") if b"=?" in line and len(line) > 76] == []


def _subjects(raw: bytes) -> set[str]:
    """The subject as two parsers of Python's read it."""
    old = message_from_bytes(raw, policy=compat32)
    unfolded = old["Subject"].replace("\r\n", "")
    return {str(make_header(decode_header(unfolded))), str(message_from_bytes(raw, policy=default)["Subject"])}


@pytest.mark.parametrize("cn", [
    "=?utf-8?q?x=0a?=", "=?utf-8?q?x=0d=0aBcc:_evil@example.org?=", "=?iso-8859-1?q?=E9?= =?utf-8?b?eA==?=", "a =? b ?= c", "?=", "Jane Doe", "José Núñez",
    "李明", "a  b", "é" * 128, "𝒥" * 128, "x" * 128, "word " * 40 + "end", "Zoë " * 30 + "end", "=?utf-8?q?" + "é" * 60 + "?=",
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
])
def test_a_name_arrives_as_it_was_written(cn: str) -> None:
    raw = SMTP.mail("welcome", "jdoe@example.org", "id", **MEMBER | {"cn": cn}).as_bytes()
    assert_rfc_2047(raw)
    assert _subjects(raw) == {f"Welcome to the Computer Science Club, {cn}"}
    body = message_from_bytes(raw, policy=default).get_content()
    assert f"Hello {cn},\n" in body.replace("\r", "")


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp", "Zs"]), min_size=1, max_size=200))
def test_any_name_arrives_as_it_was_written(cn: str) -> None:
    raw = SMTP.mail("welcome", "jdoe@example.org", "id", **MEMBER | {"cn": cn}).as_bytes()
    assert_rfc_2047(raw)
    assert _subjects(raw) == {f"Welcome to the Computer Science Club, {cn}"}


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\x0b", "\x85", "\u2028", "\0", "\x1b"])
def test_a_line_end_in_a_name_starts_no_line(end: str) -> None:
    raw = SMTP.mail("welcome", "jdoe@example.org", "id", **MEMBER | {"cn": f"Jane{end}Bcc: evil@example.org{end}{end}Doe"}).as_bytes()
    read = message_from_bytes(raw, policy=default)
    assert read["Subject"].startswith("Welcome to the Computer Science Club, Jane\N{REPLACEMENT CHARACTER}")
    assert set(read.keys()) == HEADERS
    assert not [line for line in read.get_content().splitlines() if line.startswith("Bcc")]


def test_an_address_that_would_be_two_is_refused() -> None:
    with pytest.raises(ValueError, match="linefeed"):
        SMTP.mail("welcome", "a@example.org\r\nBcc: b@example.org", "id", **MEMBER)
