"""The thin layer over libkrb5: each function is the C one without its prefix, with its errors raised and its memory owned.

An object here owns one C pointer, frees it once (ffi.gc), and keeps its context alive.  A context belongs to one thread at a
time, and so does what was made from it.  Calls that wait for the network release the GIL, as every cffi call does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ceo_common.krb5._krb5 import ffi, lib
from ceo_common.krb5.errors import Krb5Error


class Context:
    """krb5_context."""

    def __init__(self, pointer: Any) -> None:
        self.c = ffi.gc(pointer, lib.krb5_free_context)

    def check(self, code: int, stage: str) -> None:
        """Raise Krb5Error unless code is 0."""
        if code:
            raise self.error(code, stage)

    def error(self, code: int, stage: str) -> Krb5Error:
        """The exception for a code, with the library's own words."""
        text = lib.krb5_get_error_message(self.c, code)
        try:
            return Krb5Error(code, stage, ffi.string(text).decode(errors="replace"))
        finally:
            lib.krb5_free_error_message(self.c, text)


def init_context() -> Context:
    """Read krb5.conf anew."""
    out = ffi.new("krb5_context *")
    if code := lib.krb5_init_context(out):
        raise Krb5Error(code, "krb5_init_context", "the Kerberos configuration (krb5.conf) cannot be read")
    return Context(out[0])


def get_default_realm(context: Context) -> str:
    """The default realm."""
    out = ffi.new("char **")
    context.check(lib.krb5_get_default_realm(context.c, out), "krb5_get_default_realm")
    try:
        return str(ffi.string(out[0]).decode())
    finally:
        lib.krb5_free_default_realm(context.c, out[0])


# Principals


class Principal:
    """krb5_principal."""

    def __init__(self, context: Context, pointer: Any) -> None:
        self.context = context
        self.c = ffi.gc(pointer, lambda p, c=context.c: lib.krb5_free_principal(c, p))

    def __str__(self) -> str:
        return unparse_name(self.context, self.c)


def parse_name(context: Context, name: str) -> Principal:
    """A principal from its text, in the default realm where it names none."""
    if "\0" in name:
        raise ValueError("a principal's name cannot hold a NUL")
    out = ffi.new("krb5_principal *")
    context.check(lib.krb5_parse_name(context.c, name.encode(), out), "krb5_parse_name")
    return Principal(context, out[0])


def unparse_name(context: Context, principal: Any) -> str:
    """The text of a C principal, with its realm."""
    out = ffi.new("char **")
    context.check(lib.krb5_unparse_name(context.c, principal, out), "krb5_unparse_name")
    try:
        return str(ffi.string(out[0]).decode(errors="surrogateescape"))
    finally:
        lib.krb5_free_unparsed_name(context.c, out[0])


# Credentials


@dataclass(frozen=True)
class Times:
    """When a ticket is valid, in seconds since the epoch."""

    authtime: int
    starttime: int
    endtime: int


class Creds:
    """krb5_creds, by value (ours to empty) or from a list that is freed whole."""

    def __init__(self, context: Context, pointer: Any, owner: object = None) -> None:
        self.context = context
        self.owner = owner
        self.c = pointer if owner is not None else ffi.gc(pointer, lambda p, c=context.c: lib.krb5_free_cred_contents(c, p))

    @property
    def client(self) -> str:
        """The client's name; forgeable where nobody but the KDC vouched for it."""
        return unparse_name(self.context, self.c.client) if self.c.client else ""

    @property
    def server(self) -> str:
        """The service's name."""
        return unparse_name(self.context, self.c.server) if self.c.server else ""

    @property
    def enctype(self) -> int:
        """The session key's."""
        return int(self.c.keyblock.enctype)

    @property
    def times(self) -> Times:
        """Unsigned: krb5_timestamp is a 32-bit number that runs to 2106."""
        t = self.c.times
        return Times(t.authtime & 0xFFFFFFFF, (t.starttime or t.authtime) & 0xFFFFFFFF, t.endtime & 0xFFFFFFFF)

    @property
    def flags(self) -> int:
        """TKT_FLG_*."""
        return int(self.c.ticket_flags)


def _new_creds(context: Context) -> Creds:
    return Creds(context, ffi.new("krb5_creds *"))


def get_init_creds_password(context: Context, client: Principal, password: str, service: str | None = None, life_s: int = 0) -> Creds:
    """An initial ticket (kinit); the password is sent in the bytes that were typed."""
    options = ffi.new("krb5_get_init_creds_opt **")
    context.check(lib.krb5_get_init_creds_opt_alloc(context.c, options), "krb5_get_init_creds_opt_alloc")
    try:
        if life_s:
            lib.krb5_get_init_creds_opt_set_tkt_life(options[0], life_s)
        creds = ffi.new("krb5_creds *")
        code = lib.krb5_get_init_creds_password(
            context.c, creds, client.c, os.fsencode(password), ffi.NULL, ffi.NULL, 0, service.encode() if service else ffi.NULL, options[0]
        )
        context.check(code, "krb5_get_init_creds_password")
        return Creds(context, creds)
    finally:
        lib.krb5_get_init_creds_opt_free(context.c, options[0])


def get_init_creds_keytab(context: Context, client: Principal, keytab: Keytab, service: str | None = None) -> Creds:
    """An initial ticket with a key (kinit -k)."""
    creds = ffi.new("krb5_creds *")
    code = lib.krb5_get_init_creds_keytab(
        context.c, creds, client.c, keytab.c, 0, service.encode() if service else ffi.NULL, ffi.NULL
    )
    context.check(code, "krb5_get_init_creds_keytab")
    return Creds(context, creds)


def change_password(context: Context, creds: Creds, password: str) -> tuple[int, str]:
    """Change the password of the creds' client; they are an initial ticket for kadmin/changepw.  0 is success (RFC 3244)."""
    result, code_text, text = ffi.new("int *"), ffi.new("krb5_data *"), ffi.new("krb5_data *")
    context.check(lib.krb5_change_password(context.c, creds.c, password.encode(), result, code_text, text), "krb5_change_password")
    try:
        said = [bytes(ffi.buffer(d.data, d.length)).decode(errors="replace") for d in (code_text, text) if d.length]
        return int(result[0]), ": ".join(said)
    finally:
        lib.krb5_free_data_contents(context.c, code_text)
        lib.krb5_free_data_contents(context.c, text)


def get_cred_via_tkt(context: Context, ticket: Creds, options: int, server: Principal, endtime: int) -> Creds:
    """Ask the KDC, with a ticket-granting ticket, for one for `server` that ends at `endtime` at the latest."""
    wanted = ffi.new("krb5_creds *")  # borrows its principals
    wanted.client, wanted.server, wanted.times.endtime = ticket.c.client, server.c, ffi.cast("krb5_timestamp", endtime)
    out = ffi.new("krb5_creds **")
    context.check(lib.krb5_get_cred_via_tkt(context.c, ticket.c, options, ffi.NULL, wanted, out), "krb5_get_cred_via_tkt")
    pointer = ffi.gc(out[0], lambda p, c=context.c: lib.krb5_free_creds(c, p))
    return Creds(context, pointer, owner=pointer)


# KRB-CRED messages (RFC 4120, 5.8)


def _auth_con(context: Context) -> Any:
    out = ffi.new("krb5_auth_context *")
    context.check(lib.krb5_auth_con_init(context.c, out), "krb5_auth_con_init")
    auth = ffi.gc(out[0], lambda p, c=context.c: lib.krb5_auth_con_free(c, p))
    # No time stamps: they would want a replay cache, and the message is only as safe as what carries it anyway.
    context.check(lib.krb5_auth_con_setflags(context.c, auth, 0), "krb5_auth_con_setflags")
    return auth


def mk_1cred(context: Context, creds: Creds) -> bytes:
    """A KRB-CRED of one ticket, without a key: its session key is in clear."""
    auth, out = _auth_con(context), ffi.new("krb5_data **")
    replay = ffi.new("krb5_replay_data *")
    context.check(lib.krb5_mk_1cred(context.c, auth, creds.c, out, replay), "krb5_mk_1cred")
    try:
        return bytes(ffi.buffer(out[0].data, out[0].length))
    finally:
        lib.krb5_free_data(context.c, out[0])


def rd_cred(context: Context, message: bytes) -> list[Creds]:
    """Open a KRB-CRED.  Hostile bytes can kill the process (CVE-2026-107778): only a helper that may die calls this."""
    auth, out = _auth_con(context), ffi.new("krb5_creds ***")
    buffer = ffi.new("char[]", message)
    data = ffi.new("krb5_data *")
    data.length, data.data = len(message), buffer
    context.check(lib.krb5_rd_cred(context.c, auth, data, out, ffi.new("krb5_replay_data *")), "krb5_rd_cred")
    if out[0] == ffi.NULL:
        return []
    whole = ffi.gc(out[0], lambda p, c=context.c: lib.krb5_free_tgt_creds(c, p))
    found, i = [], 0
    while whole[i] != ffi.NULL:
        found.append(Creds(context, whole[i], owner=whole))
        i += 1
    return found


# Credential caches


class CCache:
    """krb5_ccache; closed, not destroyed, when forgotten."""

    def __init__(self, context: Context, pointer: Any) -> None:
        self.context = context
        self.c = ffi.gc(pointer, lambda p, c=context.c: lib.krb5_cc_close(c, p))

    def __iter__(self) -> Iterator[Creds]:
        context, cursor = self.context, ffi.new("krb5_cc_cursor *")
        context.check(lib.krb5_cc_start_seq_get(context.c, self.c, cursor), "krb5_cc_start_seq_get")
        try:
            while True:
                creds = _new_creds(context)
                code = lib.krb5_cc_next_cred(context.c, self.c, cursor, creds.c)
                if code == lib.KRB5_CC_END:
                    return
                context.check(code, "krb5_cc_next_cred")
                yield creds
        finally:
            lib.krb5_cc_end_seq_get(context.c, self.c, cursor)


def cc_default(context: Context) -> CCache:
    """The cache that KRB5CCNAME or krb5.conf names."""
    out = ffi.new("krb5_ccache *")
    context.check(lib.krb5_cc_default(context.c, out), "krb5_cc_default")
    return CCache(context, out[0])


def cc_resolve(context: Context, name: str) -> CCache:
    """The cache of this name, there or not."""
    out = ffi.new("krb5_ccache *")
    context.check(lib.krb5_cc_resolve(context.c, name.encode(), out), "krb5_cc_resolve")
    return CCache(context, out[0])


def cc_new_unique(context: Context, kind: str) -> CCache:
    """A new cache of a kind such as MEMORY."""
    out = ffi.new("krb5_ccache *")
    context.check(lib.krb5_cc_new_unique(context.c, kind.encode(), ffi.NULL, out), "krb5_cc_new_unique")
    return CCache(context, out[0])


def cc_initialize(context: Context, ccache: CCache, client: Any) -> None:
    """Empty it and name its client (a C principal)."""
    context.check(lib.krb5_cc_initialize(context.c, ccache.c, client), "krb5_cc_initialize")


def cc_get_principal(context: Context, ccache: CCache) -> Principal:
    """Whose tickets it holds."""
    out = ffi.new("krb5_principal *")
    context.check(lib.krb5_cc_get_principal(context.c, ccache.c, out), "krb5_cc_get_principal")
    return Principal(context, out[0])


def cc_get_full_name(context: Context, ccache: CCache) -> str:
    """TYPE:RESIDUAL."""
    out = ffi.new("char **")
    context.check(lib.krb5_cc_get_full_name(context.c, ccache.c, out), "krb5_cc_get_full_name")
    try:
        return str(ffi.string(out[0]).decode())
    finally:
        lib.krb5_free_string(context.c, out[0])


def cc_store_cred(context: Context, ccache: CCache, creds: Creds) -> None:
    """Add a ticket."""
    context.check(lib.krb5_cc_store_cred(context.c, ccache.c, creds.c), "krb5_cc_store_cred")


def cc_destroy(context: Context, ccache: CCache) -> None:
    """Remove it with its tickets; the object is used up."""
    pointer = ccache.c
    ffi.gc(pointer, None)
    context.check(lib.krb5_cc_destroy(context.c, pointer), "krb5_cc_destroy")


# Keytabs


class Keytab:
    """krb5_keytab."""

    def __init__(self, context: Context, pointer: Any) -> None:
        self.context = context
        self.c = ffi.gc(pointer, lambda p, c=context.c: lib.krb5_kt_close(c, p))

    def principals(self) -> list[str]:
        """The names that have a key here, each once, in the file's order."""
        context, cursor, entry = self.context, ffi.new("krb5_kt_cursor *"), ffi.new("krb5_keytab_entry *")
        context.check(lib.krb5_kt_start_seq_get(context.c, self.c, cursor), "krb5_kt_start_seq_get")
        names: dict[str, None] = {}
        try:
            while True:
                code = lib.krb5_kt_next_entry(context.c, self.c, entry, cursor)
                if code == lib.KRB5_KT_END:
                    return list(names)
                context.check(code, "krb5_kt_next_entry")
                try:
                    names[unparse_name(context, entry.principal)] = None
                finally:
                    lib.krb5_free_keytab_entry_contents(context.c, entry)
        finally:
            lib.krb5_kt_end_seq_get(context.c, self.c, cursor)


def kt_resolve(context: Context, name: str) -> Keytab:
    """The keytab of this name, such as FILE:/etc/krb5.keytab."""
    out = ffi.new("krb5_keytab *")
    context.check(lib.krb5_kt_resolve(context.c, name.encode(), out), "krb5_kt_resolve")
    return Keytab(context, out[0])
