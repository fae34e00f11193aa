"""The outer shape of a KRB-CRED (RFC 4120, 5.8.1), checked byte by byte before any library sees it.  Pure."""

from __future__ import annotations

LIMIT = 16 * 1024


class BadShape(ValueError):
    """Not a KRB-CRED of one ticket; the text says what is wrong."""


def check(message: bytes, realm: str) -> None:
    """Version 5, type 22, one ticket, for krbtgt of our realm, and in an unencrypted part one ticket-info.  Raises BadShape."""
    if len(message) > LIMIT:
        raise BadShape("it is larger than 16 KiB")
    fields = _fields(_only(message, 0x76, "KRB-CRED"))
    if set(fields) != {0, 1, 2, 3}:
        raise BadShape("it has not the four fields of a KRB-CRED")
    if _integer(fields[0]) != 5 or _integer(fields[1]) != 22:
        raise BadShape("its version or its type is wrong")
    tickets = _items(_only(fields[2], 0x30, "tickets"))
    if len(tickets) != 1:
        raise BadShape(f"it has {len(tickets)} tickets, not one")
    _check_ticket(tickets[0], realm)
    encrypted = _fields(_only(fields[3], 0x30, "enc-part"))
    if not {0, 2} <= set(encrypted) <= {0, 1, 2} or _integer(encrypted[0]) != 0:
        raise BadShape("its inner part is encrypted; gen_cred.sh makes one that is not")
    part = _fields(_only(_only(encrypted[2], 0x04, "cipher"), 0x7D, "EncKrbCredPart"))
    if 0 not in part:
        raise BadShape("it has no ticket-info")
    if (count := len(_items(_only(part[0], 0x30, "ticket-info")))) != 1:
        raise BadShape(f"it has {count} ticket-infos, not one")


def _check_ticket(tagged: tuple[int, bytes], realm: str) -> None:
    tag, content = tagged
    if tag != 0x61:
        raise BadShape("its ticket is none")
    fields = _fields(content)
    if not {0, 1, 2, 3} <= set(fields) or _integer(fields[0]) != 5:
        raise BadShape("its ticket is malformed")
    names = _fields(_only(fields[2], 0x30, "sname"))
    if 1 not in names:
        raise BadShape("its ticket has no service name")
    parts = [value.decode("latin-1") for _, value in _items(_only(names[1], 0x30, "name-string"))]
    if parts != ["krbtgt", realm] or _only(fields[1], 0x1B, "realm").decode("latin-1") != realm:
        raise BadShape("its ticket is not a ticket-granting ticket of our realm")


def _element(data: bytes, at: int) -> tuple[int, bytes, int]:
    """Tag, content and end of the DER element at `at`; lengths of up to four bytes, one-byte tags."""
    if at + 2 > len(data):
        raise BadShape("it ends too early")
    tag, length, at = data[at], data[at + 1], at + 2
    if tag & 0x1F == 0x1F:
        raise BadShape("a tag is too long")
    if length & 0x80:
        count = length & 0x7F
        if not 1 <= count <= 4 or at + count > len(data):
            raise BadShape("a length is malformed")
        length, at = int.from_bytes(data[at : at + count], "big"), at + count
    if at + length > len(data):
        raise BadShape("it ends too early")
    return tag, data[at : at + length], at + length


def _items(data: bytes) -> list[tuple[int, bytes]]:
    """The elements of a constructed content."""
    found, at = [], 0
    while at < len(data):
        tag, content, at = _element(data, at)
        found.append((tag, content))
    return found


def _only(data: bytes, tag: int, what: str) -> bytes:
    """The content of the one element that data consists of."""
    items = _items(data)
    if len(items) != 1 or items[0][0] != tag:
        raise BadShape(f"its {what} is malformed")
    return items[0][1]


def _fields(sequence: bytes) -> dict[int, bytes]:
    """The context-tagged fields of a SEQUENCE, given with or without its own tag."""
    items = _items(sequence)
    if len(items) == 1 and items[0][0] == 0x30:
        items = _items(items[0][1])
    fields = {}
    for tag, content in items:
        if tag & 0xE0 != 0xA0 or tag & 0x1F in fields:
            raise BadShape("a field is malformed")
        fields[tag & 0x1F] = content
    return fields


def _integer(data: bytes) -> int:
    return int.from_bytes(_only(data, 0x02, "number"), "big", signed=True)
