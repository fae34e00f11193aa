"""Names in mails, as the mail server gets them: read by Python's email package, and byte by byte."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import default

from sandbox.club import OUTSIDE
from tests.ceod.test_smtp import assert_rfc_2047
from tests.club.club import Club

NAMES = [
    "=?utf-8?q?x=0a?=",
    "=?utf-8?q?x=0d=0aBcc:_evil@example.org?=",
    "José Núñez",
    "李明李明",
    "é" * 100,
    "word " * 20 + "end",
]


def _raw_mails(address: str) -> list[bytes]:
    """The mails to an address, oldest first, without the lines of the server that kept them."""
    found = [path.read_bytes() for path in sorted((OUTSIDE / "mail").glob("*.eml"))]
    return [raw.split(b"\r\n", 2)[2] for raw in found if f"X-Envelope-To: {address}\r\n".encode() in raw]


def test_a_name_arrives_as_it_was_written(club: Club) -> None:
    """In the welcome's subject and text, and in the announcement."""
    for cn in NAMES:
        uid = club.add(cn=cn)["result"]["uid"]
        (raw,) = _raw_mails(f"{uid}@csclub.internal")
        assert_rfc_2047(raw)
        mail = message_from_bytes(raw, policy=default)
        assert mail["Subject"] == f"Welcome to the Computer Science Club, {cn}"
        assert f"Hello {cn},\n" in mail.get_content().replace("\r", "")
        assert mail["Bcc"] is None
        announced = [message_from_bytes(raw, policy=default) for raw in _raw_mails("syscom@csclub.internal")]
        (announcement,) = [mail for mail in announced if mail["Subject"] == f"New member: {uid}"]
        assert f"Name:      {cn}\n" in announcement.get_content().replace("\r", "")
