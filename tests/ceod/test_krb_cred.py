"""The shape check never lets anything but one well-formed KRB-CRED pass, and never fails in another way."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ceod.auth.krb_cred import BadShape, check

REALM = "CSCLUB.INTERNAL"


def der(tag: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    if len(content) < 128:
        return bytes((tag, len(content))) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def number(value: int) -> bytes:
    return der(0x02, bytes((value,)))


def ticket(realm: str = REALM, names: tuple[str, ...] = ("krbtgt", REALM)) -> bytes:
    sname = der(0x30, der(0xA0, number(2)), der(0xA1, der(0x30, *(der(0x1B, name.encode()) for name in names))))
    fields = [der(0xA0, number(5)), der(0xA1, der(0x1B, realm.encode())), der(0xA2, sname), der(0xA3, der(0x30, b""))]
    return der(0x61, der(0x30, *fields))


def krb_cred(tickets: int = 1, infos: int = 1, version: int = 5, kind: int = 22, etype: int = 0, one: bytes | None = None) -> bytes:
    part = der(0x7D, der(0x30, der(0xA0, der(0x30, *(der(0x30, b"") for _ in range(infos))))))
    encrypted = der(0x30, der(0xA0, number(etype)), der(0xA2, der(0x04, part)))
    ticket_list = der(0x30, *(one or ticket() for _ in range(tickets)))
    return der(0x76, der(0x30, der(0xA0, number(version)), der(0xA1, number(kind)), der(0xA2, ticket_list), der(0xA3, encrypted)))


def test_a_good_one() -> None:
    check(krb_cred(), REALM)


@pytest.mark.parametrize("bad", [
    b"", b"\x76", krb_cred(tickets=2), krb_cred(tickets=0), krb_cred(infos=0), krb_cred(infos=2), krb_cred(tickets=2, infos=2), krb_cred(version=4),
    krb_cred(kind=21), krb_cred(etype=18), krb_cred(one=ticket(realm="OTHER")), krb_cred(one=ticket(names=("krbtgt", "OTHER"))),
    krb_cred(one=ticket(names=("ldap", "x"))), krb_cred() + b"\x00", krb_cred()[:-1], b"\x76" * 20000,
])
def test_bad_ones(bad: bytes) -> None:
    with pytest.raises(BadShape):
        check(bad, REALM)


@given(st.binary(max_size=300))
@example(b"\x76\x84\xff\xff\xff\xff")
@example(b"\x76\x80\x00\x00")
def test_bytes_are_refused_in_one_way_only(data: bytes) -> None:
    with pytest.raises(BadShape):
        check(data, REALM)


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_one_byte_changed_is_good_or_refused(at: int, value: int) -> None:
    data = bytearray(krb_cred())
    data[at % len(data)] = value
    with contextlib.suppress(BadShape):
        check(bytes(data), REALM)
