"""Speaks kadm5 for a worker: python -m ceod.helpers.kadmin KEYTAB PRINCIPAL FD.  kadm5 has no time-out; this can be killed.

It alone holds the key of ceod/admin: it speaks to the KDC's database in one kept session, and hands out ceod/admin's own ticket
for the directory.
"""

from __future__ import annotations

import socket
import sys
import time

from ceo_common.krb5.admin import DISALLOW_ALL, REFUSALS, Admin, AlreadyThere, NotThere
from ceo_common.krb5.errors import Krb5Error
from ceod.helpers import wire
from ceod.helpers.acceptor import serve, ticket_with_key

_SESSION_S = 1800.0  # well below the life of a ticket for kadmin/admin


class Kadmin:
    """The requests this helper answers."""

    def __init__(self, keytab: str, principal: str) -> None:
        self.keytab = keytab
        self.principal = principal
        self._session: Admin | None = None
        self._since = 0.0

    def _admin(self) -> Admin:
        if self._session is None or time.monotonic() - self._since > _SESSION_S:
            self._session = Admin.with_keytab(self.principal, self.keytab)
            self._since = time.monotonic()
        return self._session

    def answer(self, request: wire.Message, *, again: bool = False) -> wire.Message:
        """One request; `lost` says that the session broke and the outcome is unknown."""
        try:
            return self._do(request)
        except NotThere:
            return {"not_there": True}
        except AlreadyThere:
            return {"already_there": True}
        except Krb5Error as error:
            if error.code in REFUSALS:
                return {"error": f"kadmind does not let ceod/admin do that: {error}"}
            kept, self._session = self._session is not None, None
            if kept and request["do"] == "get" and not again:
                # A kept session breaks when kadmind restarts; to look again does no harm.
                return self.answer(request, again=True)
            return {"lost": str(error)}

    def _do(self, request: wire.Message) -> wire.Message:
        do, name = request["do"], request.get("name", "")
        if do == "credential":
            return ticket_with_key(self.principal, self.keytab)
        admin = self._admin()
        if do == "get":
            entry = admin.get(name)
            return {"attributes": entry.attributes, "expires": entry.expires, "last_password_change": entry.last_password_change,
                    "tl_data": {str(number): content.decode("latin-1") for number, content in entry.tl_data.items()}}
        if do == "create":
            admin.create(name, request["password"], needchange=True, transaction=request["transaction"])
        elif do == "set_password":
            admin.set_password(name, request["password"], needchange=True)
        elif do == "modify":
            disabled = request.get("disabled")  # absent: as it is
            admin.modify(name, expires=request["expires"], set_attributes=DISALLOW_ALL if disabled else 0,
                         clear_attributes=DISALLOW_ALL if disabled is False else 0)
        elif do == "delete":
            admin.delete(name)
        else:
            return {"error": f"unknown request {do}"}
        return {"done": True}


def main(arguments: list[str]) -> None:
    """Serve until the worker is gone."""
    wire.keep_out_of_cores()
    keytab, principal, channel = arguments
    serve(socket.socket(fileno=int(channel)), Kadmin(keytab, principal).answer)


if __name__ == "__main__":
    main(sys.argv[1:])
