"""Mail from templates: what is put into one arrives as it is, and never makes a header."""

from __future__ import annotations

import contextlib
import re
import smtplib
import unicodedata
from collections.abc import Iterator
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from pathlib import Path
from typing import Any

import jinja2

from ceo_common.config import Smtp as Settings
from ceo_common.deadline import CONNECT_S, OPERATION_S
from ceo_common.errors import BackendDown

BACKEND = "smtp"
# An unfolded Message-ID: not every program unfolds.  The subject is folded by _subject() alone.
_POLICY = SMTP.clone(max_line_length=998, refold_source="none")
# Single words of printable ASCII, single blanks between them: what stays as it is in a header.
_PLAIN = re.compile(r"[!-~]{1,70}(?: [!-~]{1,70})*")
_CONTROLS = frozenset(("Cc", "Cs", "Zl", "Zp"))
_LINE = 75  # characters, of a line and so of an encoded word (RFC 2047, section 2)


class Smtp:
    """Sends what templates/NAME.txt says: its first line is the subject, the rest the text."""

    def __init__(self, settings: Settings, templates: str, domain: str) -> None:
        self.settings = settings
        self.domain = domain
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(Path(templates)), undefined=jinja2.StrictUndefined, keep_trailing_newline=True,
            autoescape=False,  # noqa: S701 - plain text, where &amp; would be the mistake
            finalize=_one_line,
        )

    def send(self, template: str, to: str, identifier: str, **facts: Any) -> None:
        """Send one mail.  The identifier makes its Message-ID, so that a second sending shows as the same.  Raises BackendDown."""
        if refused := self.send_all([self.mail(template, to, identifier, **facts)]):
            raise BackendDown(f"the mail server {self.settings.host} did not accept the mail: {refused[to]}", backend=BACKEND)

    def mail(self, template: str, to: str, identifier: str, **facts: Any) -> EmailMessage:
        """The mail that a template makes of these facts."""
        subject, _, text = self._templates.get_template(f"{template}.txt").render(**facts, domain=self.domain).partition("\n")
        mail = EmailMessage(policy=_POLICY)
        mail["From"] = f"ceo <ceo@{self.domain}>"
        mail["To"] = to
        # Assigned, the text would be parsed, and encoded words in it decoded.
        mail.set_raw("Subject", _subject(subject.strip()))
        mail["Date"] = formatdate(localtime=False)
        mail["Message-ID"] = f"<{identifier}@{self.domain}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(text.lstrip("\n"))
        return mail

    def send_all(self, mails: list[EmailMessage]) -> dict[str, str]:
        """Send mails over one connection; why some were refused, by their address: the others go all the same.

        Raises BackendDown when the line breaks: some of them may have been sent.
        """
        refused = {}
        try:
            with self._connected() as server:
                for mail in mails:
                    try:
                        server.send_message(mail)
                    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError, smtplib.SMTPSenderRefused) as error:
                        refused[str(mail["To"])] = str(error)
            return refused
        except (OSError, smtplib.SMTPException) as error:
            raise BackendDown(f"the mail server {self.settings.host} did not accept the mail: {error}", backend=BACKEND) from None

    @contextlib.contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        """A connection whose server greeted within CONNECT_S.  Raises OSError, SMTPException."""
        with smtplib.SMTP(self.settings.host, self.settings.port, timeout=CONNECT_S) as server:
            if server.sock:
                server.sock.settimeout(OPERATION_S)
            yield server

    def ping(self) -> None:
        """Whether it greets.  Raises BackendDown."""
        try:
            with self._connected() as server:
                server.noop()
        except (OSError, smtplib.SMTPException) as error:
            raise BackendDown(f"the mail server {self.settings.host} does not answer: {error}", backend=BACKEND) from None


def _one_line(value: object) -> str:
    """A fact as it stands in a mail: a control character or line end in it becomes U+FFFD."""
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in _CONTROLS else c for c in str(value))


def _subject(text: str) -> str:
    """The header's value, folded.  What looks like an encoded word is encoded, so that nobody decodes it."""
    plain = _PLAIN.fullmatch(text) and "=?" not in text
    header = Header(text, "us-ascii" if plain else "utf-8", maxlinelen=_LINE, header_name="Subject")
    return header.encode(linesep="\r\n")
