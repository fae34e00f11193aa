"""A raw Kerberos mech token with a chosen KRB-CRED as its delegated credential: what a hostile client can send (RFC 4121, 4.1)."""

from __future__ import annotations

import ctypes
import ctypes.util
import struct

_krb5 = ctypes.CDLL("libkrb5.so.3")
_MUTUAL, _DELEG, _REPLAY, _SEQUENCE, _CONF, _INTEG = 2, 1, 4, 8, 16, 32
_CKSUM = 0x8003  # the GSS checksum type
_AP_OPTS_MUTUAL, _DO_SEQUENCE = 0x20000000, 4
_OID = bytes.fromhex("2a864886f712010202")


class _Data(ctypes.Structure):
    _fields_ = [("magic", ctypes.c_int32), ("length", ctypes.c_uint), ("data", ctypes.c_void_p)]


class _Error(Exception):
    pass


def _check(code: int, what: str) -> None:
    if code:
        raise _Error(what, code & 0xFFFFFFFF)


def token(ccache: str, service: str, cred: bytes) -> bytes:
    """[APPLICATION 0] OID, 01 00, AP-REQ whose checksum field holds the flags and the KRB-CRED."""
    context, cache, client, server, auth = (ctypes.c_void_p() for _ in range(5))
    _check(_krb5.krb5_init_context(ctypes.byref(context)), "init")
    try:
        _check(_krb5.krb5_cc_resolve(context, ccache.encode(), ctypes.byref(cache)), "ccache")
        _check(_krb5.krb5_cc_get_principal(context, cache, ctypes.byref(client)), "client")
        _check(_krb5.krb5_parse_name(context, service.encode(), ctypes.byref(server)), "server")
        wanted = (ctypes.c_byte * 512)()  # a krb5_creds with client and server set
        ctypes.memmove(ctypes.addressof(wanted) + 8, ctypes.byref(client), 8)
        ctypes.memmove(ctypes.addressof(wanted) + 16, ctypes.byref(server), 8)
        found = ctypes.c_void_p()
        _check(_krb5.krb5_get_credentials(context, 0, cache, ctypes.byref(wanted), ctypes.byref(found)), "ticket")
        _check(_krb5.krb5_auth_con_init(context, ctypes.byref(auth)), "auth")
        _check(_krb5.krb5_auth_con_setflags(context, auth, _DO_SEQUENCE), "flags")
        _check(_krb5.krb5_auth_con_set_req_cksumtype(context, auth, _CKSUM), "cksumtype")
        flags = _DELEG | _MUTUAL | _REPLAY | _SEQUENCE | _CONF | _INTEG
        content = struct.pack("<I16xI", 16, flags) + struct.pack("<HH", 1, len(cred)) + cred
        buffer = ctypes.create_string_buffer(content, len(content))
        data, out = _Data(0, len(content), ctypes.cast(buffer, ctypes.c_void_p)), _Data()
        _check(_krb5.krb5_mk_req_extended(context, ctypes.byref(auth), _AP_OPTS_MUTUAL, ctypes.byref(data), found, ctypes.byref(out)), "mk_req")
        request = ctypes.string_at(out.data, out.length)
        _krb5.krb5_free_data_contents(context, ctypes.byref(out))
        _krb5.krb5_free_creds(context, found)
        _krb5.krb5_auth_con_free(context, auth)
        _krb5.krb5_free_principal(context, client)
        _krb5.krb5_free_principal(context, server)
        _krb5.krb5_cc_close(context, cache)
    finally:
        _krb5.krb5_free_context(context)
    inner = _element(0x06, _OID) + b"\x01\x00" + request
    return _element(0x60, inner)


def _element(tag: int, content: bytes) -> bytes:
    if len(content) < 128:
        return bytes((tag, len(content))) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


for _name in ("krb5_init_context", "krb5_cc_resolve", "krb5_cc_get_principal", "krb5_parse_name", "krb5_get_credentials", "krb5_auth_con_init",
              "krb5_auth_con_setflags", "krb5_auth_con_set_req_cksumtype", "krb5_mk_req_extended"):
    getattr(_krb5, _name).restype = ctypes.c_int32
