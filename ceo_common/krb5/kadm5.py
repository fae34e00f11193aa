"""The thin layer over libkadm5clnt: each function is the C one without its prefix; a handle owns its session and its context.

Neither the library nor the protocol has a time-out: a caller who cannot wait for ever runs this in a process it may kill.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ceo_common.krb5 import krb5
from ceo_common.krb5._krb5 import ffi, lib


class Handle:
    """A kadm5 server handle."""

    def __init__(self, context: krb5.Context, pointer: Any) -> None:
        self.context = context
        self.c = ffi.gc(pointer, lambda p, c=context.c: lib.kadm5_destroy(p))  # which uses the context: so it outlives us

    def check(self, code: int, stage: str) -> None:
        """Raise Krb5Error unless code is 0."""
        self.context.check(int(code), stage)


@dataclass
class Entry:
    """What we read and write of a kadm5_principal_ent_rec; times are seconds since the epoch, 0 is never."""

    name: str
    attributes: int = 0
    expires: int = 0
    last_password_change: int = 0
    key_version: int = 0
    tl_data: dict[int, bytes] = field(default_factory=dict)


def _init(call: Any, stage: str, client: str, secret: bytes) -> Handle:
    out = ffi.new("krb5_context *")
    if code := lib.kadm5_init_krb5_context(out):
        raise krb5.init_context().error(int(code), "kadm5_init_krb5_context")
    context, handle = krb5.Context(out[0]), ffi.new("void **")
    code = call(context.c, ffi.new("char[]", client.encode()), ffi.new("char[]", secret), ffi.new("char[]", b"kadmin/admin"),
                ffi.new("kadm5_config_params *"), lib.KADM5_STRUCT_VERSION, lib.KADM5_API_VERSION_4, ffi.NULL, handle)
    context.check(int(code), stage)
    return Handle(context, handle[0])


def init_with_skey(client: str, keytab: str) -> Handle:
    """A session as `client` with its key from `keytab`."""
    return _init(lib.kadm5_init_with_skey, "kadm5_init_with_skey", client, keytab.encode())


def init_with_password(client: str, password: str) -> Handle:
    """A session as `client` with a password."""
    return _init(lib.kadm5_init_with_password, "kadm5_init_with_password", client, password.encode())


def _c_entry(handle: Handle, entry: Entry) -> tuple[Any, list[Any]]:
    """The C record and what must live as long as it."""
    principal = krb5.parse_name(handle.context, entry.name)
    record, alive = ffi.new("kadm5_principal_ent_rec *"), [principal]
    record.principal, record.attributes = principal.c, entry.attributes
    record.princ_expire_time = ffi.cast("krb5_timestamp", entry.expires)  # 32 bits that are read unsigned, to 2106
    following = ffi.NULL
    for number, content in entry.tl_data.items():
        bytes_, node = ffi.new("krb5_octet[]", content), ffi.new("krb5_tl_data *")
        node.tl_data_type, node.tl_data_length, node.tl_data_contents, node.tl_data_next = number, len(content), bytes_, following
        alive += [bytes_, node]
        following = node
    record.n_tl_data, record.tl_data = len(entry.tl_data), following
    return record, alive


def create_principal(handle: Handle, entry: Entry, password: str, mask: int) -> None:
    """Create it with a password and what `mask` (KADM5_*) names of the entry."""
    record, _alive = _c_entry(handle, entry)
    handle.check(lib.kadm5_create_principal(handle.c, record, mask, ffi.new("char[]", password.encode())), "kadm5_create_principal")


def get_principal(handle: Handle, name: str) -> Entry:
    """The entry with its tl_data; tl_data of the library's own types (below 256) are left out."""
    principal, record = krb5.parse_name(handle.context, name), ffi.new("kadm5_principal_ent_rec *")
    mask = lib.KADM5_PRINCIPAL_NORMAL_MASK | lib.KADM5_TL_DATA
    handle.check(lib.kadm5_get_principal(handle.c, principal.c, record, mask), "kadm5_get_principal")
    try:
        found = Entry(krb5.unparse_name(handle.context, record.principal), int(record.attributes), record.princ_expire_time & 0xFFFFFFFF,
                      record.last_pwd_change & 0xFFFFFFFF, int(record.kvno))
        node = record.tl_data
        while node != ffi.NULL:
            if node.tl_data_type >= 256:
                found.tl_data[int(node.tl_data_type)] = bytes(ffi.buffer(node.tl_data_contents, node.tl_data_length))
            node = node.tl_data_next
        return found
    finally:
        lib.kadm5_free_principal_ent(handle.c, record)


def modify_principal(handle: Handle, entry: Entry, mask: int) -> None:
    """Set what `mask` (KADM5_*) names of the entry."""
    record, _alive = _c_entry(handle, entry)
    handle.check(lib.kadm5_modify_principal(handle.c, record, mask), "kadm5_modify_principal")


def chpass_principal(handle: Handle, name: str, password: str) -> None:
    """Set a password; it clears REQUIRES_PWCHANGE."""
    principal = krb5.parse_name(handle.context, name)
    handle.check(lib.kadm5_chpass_principal(handle.c, principal.c, ffi.new("char[]", password.encode())), "kadm5_chpass_principal")


def delete_principal(handle: Handle, name: str) -> None:
    """Delete it."""
    principal = krb5.parse_name(handle.context, name)
    handle.check(lib.kadm5_delete_principal(handle.c, principal.c), "kadm5_delete_principal")


def get_principals(handle: Handle, pattern: str) -> list[str]:
    """The names that match a glob pattern."""
    names, count = ffi.new("char ***"), ffi.new("int *")
    handle.check(lib.kadm5_get_principals(handle.c, ffi.new("char[]", pattern.encode()), names, count), "kadm5_get_principals")
    try:
        return [ffi.string(names[0][i]).decode() for i in range(count[0])]
    finally:
        lib.kadm5_free_name_list(handle.c, names[0], count[0])
