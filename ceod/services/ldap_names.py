"""LDAP filters and DNs from untrusted text: the one place where they are put together."""

from __future__ import annotations

import ldap.dn
import ldap.filter


def equals(attribute: str, value: str) -> str:
    """(attribute=value), the value escaped (RFC 4515)."""
    return f"({attribute}={ldap.filter.escape_filter_chars(value)})"


def contains(attribute: str, value: str) -> str:
    """(attribute=*value*), the value escaped."""
    return f"({attribute}=*{ldap.filter.escape_filter_chars(value)}*)"


def sounds_like(attribute: str, value: str) -> str:
    """(attribute~=value), the value escaped."""
    return f"({attribute}~={ldap.filter.escape_filter_chars(value)})"


def none_of(*filters: str) -> str:
    """None holds."""
    return f"(!{any_of(*filters)})"


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


def same(one: str, other: str) -> bool:
    """Whether two DNs name one entry: slapd answers Who-Am-I in lower case."""
    try:
        return _normal(one) == _normal(other)
    except ldap.DECODING_ERROR:
        return False


def _normal(dn: str) -> list[list[tuple[str, str]]]:
    return [sorted((attribute.lower(), value.lower()) for attribute, value, _ in rdn) for rdn in ldap.dn.str2dn(dn)]
