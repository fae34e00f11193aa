"""SPNEGO on every request, and the caller's forwarded ticket on those that write."""

from __future__ import annotations

import base64
import binascii
import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

import gssapi
from gssapi.raw import GSSError, import_cred

from ceo_common.config import Daemon
from ceo_common.errors import DelegationMismatch, DelegationRequired, Unauthenticated
from ceo_common.krb5.errors import gssapi_reason
from ceod.auth import krb_cred
from ceod.auth.acceptor import Acceptor, Refused
from ceod.auth.caller import Caller

HOW_TO_DELEGATE = (
    "this writes to the directory as you, so it needs your forwarded ticket: curl --delegation always, "
    "or ./gen_cred.sh HOST and the header X-KRB5-CRED"
)
AGAIN = "get a new ticket (kinit) and forward that one"
_AGAIN = "run gen_cred.sh again and send what it writes"
UNBOUND = (
    "this ceod accepts only tokens that are bound to the TLS connection (channel_bindings is"
    ' "required" in its ceod.toml), and this token is not bound: use the command ceo, or a client'
    " that sends channel bindings of the type tls-server-end-point"
)
_NTLM = b"NTLMSSP\0"
_MALFORMED = "Token header is malformed"
# Major statuses of GSSAPI (RFC 2744, 3.9.1).
_BAD_BINDINGS = 4 << 16
# BAD_MECH, BAD_NAME (the token names no mechanism), DEFECTIVE_TOKEN
_NOT_KERBEROS = {1 << 16, 2 << 16, 9 << 16}


@dataclass(frozen=True)
class Authenticated:
    """The outcome of one request's negotiation."""

    principal: str
    reply: bytes
    delegated: bytes | None
    delegation_problem: str | None = None  # why the delegated credential can't be used


def authenticate(
    header: str | None,
    acceptor: Acceptor,
    bindings: bytes | None,
    *,
    address: str,
    must_be_bound: bool = False,
    slowly: bool = False,
) -> Authenticated:
    """Accept the Authorization header of a request from an address.

    With `must_be_bound`, only a token that is bound to this TLS connection is accepted.
    Raises Unauthenticated, BackendDown, Suspect (ask again, slowly).
    """
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
        accepted = acceptor.accept(token, bindings, address, slowly=slowly)
    except Refused as error:
        raise Unauthenticated(_reason(token, error)) from None
    if must_be_bound and not accepted.bound:
        raise Unauthenticated(UNBOUND)
    return Authenticated(
        accepted.name, accepted.reply, accepted.credential, accepted.credential_problem
    )


def _reason(token: bytes, error: Refused) -> str:
    """Why a token was not accepted, and what to do."""
    if not token:
        return "the Negotiate token is empty: get a Kerberos ticket (kinit) and send it again"
    # Also inside SPNEGO: a client that has no Kerberos ticket offers NTLM there.
    if _NTLM in token:
        return (
            "the client sent an NTLM token, and ceod accepts Kerberos only: get a Kerberos ticket"
            " (kinit), and use the host's full name in the URL"
        )
    if error.major == _BAD_BINDINGS:
        return (
            "the token was made for another TLS connection (its channel bindings are not those of"
            " this host's certificate): connect to ceod itself, not through a proxy that opens TLS"
        )
    if error.major in _NOT_KERBEROS or _MALFORMED in str(error):
        return (
            "the Negotiate token is not a token of Kerberos or SPNEGO, or not a whole one: send the"
            " token that your Kerberos library makes (curl --negotiate does)"
        )
    return f"Kerberos refused the ticket: {gssapi_reason(error)}"


def delegated_credential(
    authenticated: Authenticated, caller: Caller, header: str | None, acceptor: Acceptor, config: Daemon,
) -> gssapi.Credentials:
    """The caller's own credential, from inside the token or from X-KRB5-CRED, in memory alone.

    Raises DelegationRequired, DelegationMismatch, BackendDown.  What it says is not believed yet: slapd's Who-Am-I decides.
    """
    if authenticated.delegation_problem is not None:
        raise DelegationMismatch(
            f"the ticket that was forwarded in the Negotiate token can't be used, because"
            f" {authenticated.delegation_problem}: get a new one (kinit) and send the request again"
        )
    if authenticated.delegated is not None:
        return _own(authenticated.delegated, caller, "the forwarded ticket")
    if header is None:
        raise DelegationRequired(HOW_TO_DELEGATE)
    try:
        message = base64.b64decode("".join(header.split()), validate=True)
        krb_cred.check(message, config.realm)
    except (binascii.Error, ValueError) as error:
        sentence = f"X-KRB5-CRED is not a forwarded ticket: {error}; {_AGAIN}"
        raise DelegationMismatch(sentence) from None
    try:
        name, endtime, exported = acceptor.read_cred(message, caller.address)
    except Refused as error:
        reason = gssapi_reason(error)
        raise DelegationMismatch(f"X-KRB5-CRED can't be opened: {reason}; {_AGAIN}") from None
    if name != caller.principal:
        raise DelegationMismatch(f"the ticket in X-KRB5-CRED is not yours; {_AGAIN}")
    if endtime <= time.time() or not exported:
        raise DelegationMismatch(f"the ticket in X-KRB5-CRED has ended; {_AGAIN}")
    return _own(exported, caller, "the ticket in X-KRB5-CRED")


def _own(exported: bytes, caller: Caller, what: str) -> gssapi.Credentials:
    """The credential, if it says that it is the caller's.  Raises DelegationMismatch."""
    try:
        credential = gssapi.Credentials(import_cred(exported))
        name = str(credential.name)
    except UnicodeDecodeError:
        raise DelegationMismatch(f"{what} is not yours; {AGAIN}") from None
    except (GSSError, gssapi.exceptions.GeneralError) as error:
        words = getattr(error, "gen_message", error.__str__)()
        raise DelegationMismatch(f"{what} can't be used: {gssapi_reason(words)}; {AGAIN}") from None
    if name != caller.principal:
        raise DelegationMismatch(f"{what} is not yours; {AGAIN}")
    return credential


def channel_bindings(certificate: str) -> bytes:
    """tls-server-end-point of our certificate (RFC 5929, 4): what a client that sends bindings has to have seen."""
    from cryptography import x509  # noqa: PLC0415 - heavy, and once a process
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415

    loaded = x509.load_pem_x509_certificate(Path(certificate).read_bytes())
    algorithm = loaded.signature_hash_algorithm
    name = algorithm.name if algorithm and algorithm.name not in ("md5", "sha1") else "sha256"
    return b"tls-server-end-point:" + hashlib.new(name, loaded.public_bytes(Encoding.DER)).digest()
