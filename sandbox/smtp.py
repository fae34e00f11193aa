"""An SMTP server that keeps every mail it gets as a file: python -m sandbox.smtp FOLDER."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session


class Keep:
    """Writes each mail to FOLDER/<nanoseconds>-<number>.eml, whole or not at all, before it says 250."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep the mail with its envelope in front (X-Envelope-From, X-Envelope-To)."""
        self.count += 1
        name = f"{time.time_ns()}-{self.count}"
        content = envelope.content if isinstance(envelope.content, bytes) else (envelope.content or "").encode()
        head = f"X-Envelope-From: {envelope.mail_from}\r\nX-Envelope-To: {', '.join(envelope.rcpt_tos)}\r\n".encode()
        part = self.folder / f"{name}.part"
        part.write_bytes(head + content)
        os.rename(part, self.folder / f"{name}.eml")
        return "250 2.0.0 kept"


async def main(folder: Path) -> None:
    """Serve on port 25 of every address of this host."""
    folder.mkdir(exist_ok=True)
    handler = Keep(folder)
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(handler, enable_SMTPUTF8=True), "0.0.0.0", 25)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
