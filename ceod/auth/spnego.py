"""SPNEGO on every request, and the caller's forwarded ticket on those that write."""

from __future__ import annotations

import base64
import binascii
import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

import gssapi
from gssapi.raw import import_cred

from ceo_common.config import Daemon
from ceo_common.errors import DelegationMismatch, DelegationRequired, Unauthenticated
from ceo_common.krb5.errors import gssapi_reason
from ceod.auth import krb_cred
from ceod.auth.acceptor import Acceptor, Refused
from ceod.auth.caller import Caller, identify

HOW_TO_DELEGATE = (
    "this writes to the directory as you, so it needs your forwarded ticket: curl --delegation always, "
    "or ./gen_cred.sh HOST and the header X-KRB5-CRED"
)


@dataclass(frozen=True)
class Authenticated:
    """The outcome of one request's negotiation."""

    principal: str
    reply: bytes
    delegated: bytes | None


def authenticate(
    header: str | None, acceptor: Acceptor, bindings: bytes | None, *, address: str
) -> Authenticated:
    """Accept the Authorization header of a request from an address.  Raises Unauthenticated (with `reply` where there is one), BackendDown."""
    if not header:
        raise Unauthenticated("a Kerberos ticket is needed: kinit, then curl --negotiate -u : --service-name ceod")
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "negotiate":
        raise Unauthenticated("only Negotiate (SPNEGO with Kerberos) is taken here")
    try:
        token = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise Unauthenticated("the Negotiate token is not base64") from None
    try:
        accepted = acceptor.accept(token, bindings, address)
    except Refused as error:
        raise Unauthenticated(f"Kerberos refused the ticket: {gssapi_reason(error)}") from None
    return Authenticated(accepted.name, accepted.reply, accepted.credential)


def delegated_credential(
    authenticated: Authenticated, caller: Caller, header: str | None, acceptor: Acceptor, config: Daemon,
) -> gssapi.Credentials:
    """The caller's own credential, from inside the token or from X-KRB5-CRED, in memory alone.

    Raises DelegationRequired, DelegationMismatch, BackendDown.  What it says is not believed yet: slapd's Who-Am-I decides.
    """
    if authenticated.delegated is not None:
        credential = gssapi.Credentials(import_cred(authenticated.delegated))
        if str(credential.name) != caller.principal:
            raise DelegationMismatch("the forwarded ticket is not yours")
        return credential
    if header is None:
        raise DelegationRequired(HOW_TO_DELEGATE)
    try:
        message = base64.b64decode("".join(header.split()), validate=True)
        krb_cred.check(message, config.realm)
    except (binascii.Error, ValueError) as error:
        raise DelegationMismatch(f"X-KRB5-CRED is not a forwarded ticket: {error}") from None
    try:
        name, endtime, exported = acceptor.read_cred(message, caller.address)
    except Refused as error:
        raise DelegationMismatch(f"X-KRB5-CRED can't be opened: {error}") from None
    if identify(name, caller.address, config).principal != caller.principal:
        raise DelegationMismatch("the ticket in X-KRB5-CRED is not yours")
    if endtime <= time.time():
        raise DelegationMismatch("the ticket in X-KRB5-CRED has ended; run gen_cred.sh again")
    return gssapi.Credentials(import_cred(exported))


def channel_bindings(certificate: str) -> bytes:
    """tls-server-end-point of our certificate (RFC 5929, 4): what a client that sends bindings has to have seen."""
    from cryptography import x509  # noqa: PLC0415 - heavy, and once a process
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

    loaded = x509.load_pem_x509_certificate(Path(certificate).read_bytes())
    algorithm = loaded.signature_hash_algorithm
    name = algorithm.name if algorithm and algorithm.name not in ("md5", "sha1") else "sha256"
    return b"tls-server-end-point:" + hashlib.new(name, loaded.public_bytes(Encoding.DER)).digest()
