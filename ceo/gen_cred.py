"""Write a forwarded ticket to the file `cred` here: python -m ceo.gen_cred HOST (gen_cred.sh calls it)."""

from __future__ import annotations

import base64
import os
import socket
import sys
from pathlib import Path

from ceo import streams
from ceo_common.krb5 import tickets
from ceo_common.krb5.errors import Krb5Error

FILE = "cred"


def main(arguments: list[str]) -> int:
    """Exit status 1 and one sentence when there is no ticket, no such host, or no place to write."""
    streams.claim()
    (host,) = arguments
    try:
        socket.getaddrinfo(host, None)
        message = tickets.forward()
        _write(Path(FILE), base64.b64encode(message))
    except socket.gaierror:
        print(f"gen_cred: there is no host {host}", file=sys.stderr)
    except tickets.NoTicket as error:
        print(f"gen_cred: {error}: kinit first", file=sys.stderr)
    except Krb5Error as error:
        print(f"gen_cred: the KDC forwarded no ticket: {error}", file=sys.stderr)
    except OSError as error:
        print(f"gen_cred: cannot write the file {FILE}: {error.strerror}", file=sys.stderr)
    else:
        return 0
    return 1


def _write(path: Path, content: bytes) -> None:
    """A file of mode 0600 from its first moment, in place of whatever stood there."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    os.rename(part, path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
