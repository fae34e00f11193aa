"""LDAP filters and DNs from untrusted text: the one place where they are put together."""

from __future__ import annotations

import re

import ldap.dn
import ldap.filter


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
    return f"{attribute}={ldap.dn.escape_dn_chars(value)},{parent}"


def first_value(dn: str) -> str:
    """The value in front of a DN, or an empty text where it is no DN."""
    try:
        return str(ldap.dn.str2dn(dn)[0][0][1])
    except (ldap.DECODING_ERROR, IndexError):
        return ""


def child_value(dn: str, attribute: str, parent: str) -> str:
    """The value, in lower case, of the entry right below parent that a DN names; an empty text for any other DN."""
    try:
        first, *rest = ldap.dn.str2dn(dn)
    except (ldap.DECODING_ERROR, ValueError):
        return ""
    if len(first) != 1 or first[0][0].lower() != attribute or not same(ldap.dn.dn2str(rest), parent):
        return ""
    return str(first[0][1]).lower()


def same(one: str, other: str) -> bool:
    """Whether two DNs name one entry: slapd answers Who-Am-I in lower case."""
    try:
        return _normal(one) == _normal(other)
    except ldap.DECODING_ERROR:
        return False


def _normal(dn: str) -> list[list[tuple[str, str]]]:
    return [sorted((attribute.lower(), value.lower()) for attribute, value, _ in rdn) for rdn in ldap.dn.str2dn(dn)]
