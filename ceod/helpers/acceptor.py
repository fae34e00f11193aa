"""Accepts SPNEGO tokens and opens forwarded tickets: python -m ceod.helpers.acceptor KEYTAB SERVICE FD.

It alone holds the key of ceod/<fqdn>.  MIT Kerberos parses a caller's KRB-CRED inside gss_accept_sec_context, and hostile bytes
can end the process that does it: this one, which has no transaction to lose.
"""

from __future__ import annotations

import contextlib
import socket
import sys

import gssapi
from gssapi.raw import ChannelBindings, GSSError, export_cred

from ceo_common.krb5 import krb5, tickets
from ceo_common.krb5.errors import Krb5Error, gssapi_reason
from ceo_common.krb5.file_errors import file_problem
from ceod.helpers import wire

_CHANNEL_BOUND = 2048  # GSS_C_CHANNEL_BOUND_FLAG, an MIT extension: the client sent bindings, and they fit
_DELEGATED = 1  # GSS_C_DELEG_FLAG
_ROUTINE_ERROR = 0xFF0000  # where a major status has its GSS_S_* (RFC 2744, 3.9.1)


class Acceptor:
    """The requests this helper answers."""

    def __init__(self, keytab: str, service: str) -> None:
        self.keytab = keytab
        self.service = service

    def answer(self, request: wire.Message) -> wire.Message:
        """One request."""
        do = request["do"]
        if do == "accept":
            return self.accept(request["token"], request.get("bindings"))
        if do == "read_cred":
            return self.read_cred(request["message"])
        if do == "initiate":
            return self.initiate()
        return {"error": f"unknown request {do}"}

    def accept(self, token: bytes, bindings: bytes | None) -> wire.Message:
        """One token in, the context complete or refused: nothing is ever continued."""
        try:
            # Named: else a token for any service that has a key in the file (host/...) would count.
            name = gssapi.Name(self.service, gssapi.NameType.kerberos_principal)
            credentials = gssapi.Credentials(name=name, usage="accept", store={"keytab": self.keytab})
        except (GSSError, gssapi.exceptions.GeneralError) as error:
            return {"keytab": gssapi_reason(_words(error))}
        try:
            bound = ChannelBindings(application_data=bindings) if bindings else None
            context = gssapi.SecurityContext(creds=credentials, usage="accept", channel_bindings=bound)
            reply = context.step(token)
            # python-gssapi keeps an error of step() until the next attribute is read: so read at once.
            if not context.complete:
                return {"refused": "the negotiation did not complete in one step", "reply": reply or b""}
            flags = int(context.actual_flags)
            answer = {"name": str(context.initiator_name), "flags": flags, "reply": reply or b"", "bound": bool(flags & _CHANNEL_BOUND)}
            if flags & _DELEGATED and context.delegated_creds is not None:
                answer |= _exported(context.delegated_creds)
            return answer
        except (GSSError, gssapi.exceptions.GeneralError) as error:
            if isinstance(error, GSSError) and (reason := file_problem(error)):
                # The only file that is written here.
                return {"replay_cache": reason}
            return {
                "refused": _words(error),
                "reply": getattr(error, "token", None) or b"",
                "major": getattr(error, "maj_code", 0) & _ROUTINE_ERROR,
            }
        except ValueError as error:  # such as a name that is not UTF-8
            return {"refused": str(error)}

    def read_cred(self, message: bytes) -> wire.Message:
        """A KRB-CRED in; the client it names, its end and the credential out (empty if ended)."""
        try:
            ticket, context, cache = tickets.receive(message)
        except (Krb5Error, ValueError) as error:
            return {"refused": str(error)}
        try:
            credential = gssapi.Credentials(usage="initiate", store={"ccache": ticket.ccache})
            return {"name": ticket.client, "endtime": ticket.endtime, "credential": export_cred(credential)}
        except gssapi.exceptions.ExpiredCredentialsError:
            return {"name": ticket.client, "endtime": ticket.endtime, "credential": b""}
        except (GSSError, gssapi.exceptions.GeneralError) as error:
            return {"refused": _words(error)}
        finally:
            krb5.cc_destroy(context, cache)

    def initiate(self) -> wire.Message:
        """Our own service's ticket-granting ticket, as a credential."""
        return ticket_with_key(self.service, self.keytab)


def ticket_with_key(principal: str, keytab: str) -> wire.Message:
    """An initial ticket as an exported credential, with its end."""
    context = krb5.init_context()
    try:
        client = krb5.parse_name(context, principal)
        creds = krb5.get_init_creds_keytab(context, client, krb5.kt_resolve(context, keytab))
        cache = krb5.cc_new_unique(context, "MEMORY")
        krb5.cc_initialize(context, cache, creds.c.client)
        krb5.cc_store_cred(context, cache, creds)
    except Krb5Error as error:
        return {"refused": str(error)}
    try:
        credential = gssapi.Credentials(usage="initiate", store={"ccache": krb5.cc_get_full_name(context, cache)})
        return {"credential": export_cred(credential), "endtime": creds.times.endtime}
    finally:
        krb5.cc_destroy(context, cache)


def _exported(credential: gssapi.Credentials) -> wire.Message:
    """A delegated credential in exported form, or why it can't be used.

    That is no reason to refuse the token: the request may need no credential.
    """
    try:
        if credential.lifetime:
            return {"credential": export_cred(credential)}
    except gssapi.exceptions.ExpiredCredentialsError:
        pass
    except (GSSError, gssapi.exceptions.GeneralError) as error:
        return {"credential_problem": f"it can't be opened: {gssapi_reason(_words(error))}"}
    return {"credential_problem": "it has ended"}


def _words(error: Exception) -> str:
    generate = getattr(error, "gen_message", None)
    return str(generate()) if generate else str(error)


def serve(channel: socket.socket, answer: object) -> None:
    """Report that we are ready, as Child expects, and answer until the worker is gone."""
    assert callable(answer)
    with contextlib.suppress(EOFError, OSError):
        wire.send(channel, {"ready": True})
        while True:
            wire.send(channel, answer(wire.receive(channel)))


def main(arguments: list[str]) -> None:
    """Serve until the worker is gone."""
    wire.keep_out_of_cores()
    keytab, service, channel = arguments
    serve(socket.socket(fileno=int(channel)), Acceptor(keytab, service).answer)


if __name__ == "__main__":
    main(sys.argv[1:])
