"""LDAP filters and DNs from untrusted text: the one place where they are put together."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

import ldap.dn
import ldap.filter

_NO_DN = (ldap.DECODING_ERROR, ValueError)  # ValueError: bytes that are no UTF-8


def equals(attribute: str, value: str) -> str:
    """(attribute=value), the value escaped (RFC 4515)."""
    return f"({attribute}={ldap.filter.escape_filter_chars(value)})"


def contains(attribute: str, value: str) -> str:
    """(attribute=*value*), the value escaped."""
    return f"({attribute}=*{ldap.filter.escape_filter_chars(value)}*)"


def heard(attribute: str, value: str) -> str:
    """A part of it, or its words by their sound; what has no letters has none, and slapd takes all such words for alike."""
    part, words = contains(attribute, value), " ".join(re.findall(r"[^\W\d_]{2,}", value))
    return any_of(part, f"({attribute}~={ldap.filter.escape_filter_chars(words)})") if words else part


def any_of(*filters: str) -> str:
    """At least one holds."""
    return f"(|{''.join(filters)})"


def all_of(*filters: str) -> str:
    """Each holds."""
    return f"(&{''.join(filters)})"


def child(attribute: str, value: str, parent: str) -> str:
    """The DN of an entry below parent, the value escaped (RFC 4514)."""
    # libldap takes a tab or line break at a value's end for the space between the parts of a DN.
    escaped = ldap.dn.escape_dn_chars(value).translate(
        {ord(blank): f"\\{ord(blank):02x}" for blank in "\t\n\r"}
    )
    return f"{attribute}={escaped},{parent}"


def first_value(dn: str) -> str:
    """The value in front of a DN, or an empty text where it is no DN."""
    try:
        return str(ldap.dn.str2dn(dn)[0][0][1])
    except (*_NO_DN, IndexError):
        return ""


def child_value(dn: str, attribute: str, parent: str) -> str:
    """The value, byte for byte, in a DN of an entry right below parent; else an empty text."""
    try:
        first, *rest = ldap.dn.str2dn(dn)
    except _NO_DN:
        return ""
    # str2dn() drops an option, as in `uid;lang-en=x`.
    named_by = dn.partition("=")[0].strip().lower()
    if len(first) != 1 or named_by != attribute or _normal(rest) != _normal_place(parent):
        return ""
    return str(first[0][1])


def is_child(dn: str, parent: str) -> bool:
    """Whether an entry is right below parent, whatever it is named by."""
    try:
        return _normal(ldap.dn.str2dn(dn)[1:]) == _normal_place(parent)
    except _NO_DN:
        return False


def same(one: str, other: str) -> bool:
    """Whether slapd takes two DNs for one entry: letter case does not count."""
    try:
        return _normal(ldap.dn.str2dn(one)) == _normal(ldap.dn.str2dn(other))
    except _NO_DN:
        return False


@functools.cache  # a few places, each asked for with every entry of a long answer
def _normal_place(dn: str) -> list[list[tuple[str, str]]]:
    return _normal(ldap.dn.str2dn(dn))


def _normal(rdns: Iterable[Iterable[tuple[str, str, int]]]) -> list[list[tuple[str, str]]]:
    return [sorted((attribute.lower(), value.lower()) for attribute, value, _ in rdn) for rdn in rdns]
