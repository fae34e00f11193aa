"""The KDC's database by way of the kadmin helper, and ceod/admin's own ticket."""

from __future__ import annotations

from dataclasses import dataclass

import gssapi

from ceo_common.deadline import OPERATION_S
from ceo_common.errors import BackendDown, Exists, Internal, NotFound
from ceo_common.krb5.admin import DISALLOW_ALL, NEEDS_CHANGE, PRE_AUTH, TRANSACTION_TL_DATA
from ceod.helpers.child import Child, Died, NoTurn, TookTooLong
from ceod.helpers.credential import OwnCredential
from ceod.helpers.wire import Message

BACKEND = "kadmind"


@dataclass(frozen=True)
class Principal:
    """What ceod looks at in an entry."""

    needs_change: bool
    transaction: str  # which made it, or empty
    disabled: bool = False
    expires: int = 0  # seconds since the epoch, 0 is never
    preauthenticates: bool = True


class Kadmin:
    """One a worker."""

    def __init__(self, keytab: str, realm: str) -> None:
        self._realm = realm
        arguments = [keytab, f"ceod/admin@{realm}"]
        self._child = Child("ceod.helpers.kadmin", arguments, {})
        # A process of its own for what waits for the KDC: killing it must not end a kadm5 call that is in hand.
        self._initiator = Child("ceod.helpers.kadmin", arguments, {})
        self._own = OwnCredential(self._initiator, do="credential")

    def credential(self) -> gssapi.Credentials:
        """ceod/admin's ticket.  Raises BackendDown."""
        return self._own.get()

    def get(self, uid: str) -> Principal | None:
        """The account's principal.  Raises BackendDown."""
        answer = self._ask("get", uid)
        if "not_there" in answer:
            return None
        attributes = answer["attributes"]
        return Principal(bool(attributes & NEEDS_CHANGE), answer["tl_data"].get(str(TRANSACTION_TL_DATA), ""),
                         bool(attributes & DISALLOW_ALL), answer["expires"], bool(attributes & PRE_AUTH))

    def create(self, uid: str, password: str, transaction: str) -> None:
        """Create it, its password to be changed at first use.  Raises Exists, BackendDown (outcome unknown)."""
        if "already_there" in self._ask("create", uid, password=password, transaction=transaction):
            raise Exists(f"the KDC has a principal {uid} already")

    def set_password(self, uid: str, password: str) -> None:
        """Set a password to be changed at first use.  Raises NotFound, BackendDown (outcome unknown)."""
        if "not_there" in self._ask("set_password", uid, password=password):
            raise NotFound(f"the KDC has no principal {uid}")

    def change(self, uid: str, *, disabled: bool, expires: int) -> None:
        """Let it have tickets or not, and until when.  Raises NotFound, BackendDown (outcome unknown)."""
        if "not_there" in self._ask("modify", uid, disabled=disabled, expires=expires):
            raise NotFound(f"the KDC has no principal {uid}")

    def expire(self, uid: str, when: int) -> None:
        """Let it have tickets until then, in seconds since the epoch.  Raises NotFound, BackendDown (outcome unknown)."""
        if "not_there" in self._ask("modify", uid, expires=when):
            raise NotFound(f"the KDC has no principal {uid}")

    def delete(self, uid: str) -> None:
        """Delete it, if it is there.  Raises BackendDown (outcome unknown)."""
        self._ask("delete", uid)

    def delete_if_made_by(self, uid: str, transaction: str) -> bool | None:
        """Delete it if this transaction made it: True when deleted, False when another did, None when it is not there."""
        found = self.get(uid)
        if found is None:
            return None
        if found.transaction != transaction:
            return False
        return "not_there" not in self._ask("delete", uid) or None

    def ping(self) -> None:
        """One round trip.  Raises BackendDown."""
        self._ask("get", "nobody-of-this-name")

    def _ask(self, do: str, uid: str, **more: str | int) -> Message:
        try:
            answer = self._child.ask({"do": do, "name": f"{uid}@{self._realm}", **more}, deadline_s=OPERATION_S)
        except (TookTooLong, NoTurn):
            raise BackendDown("kadmind did not answer within 10 s", backend=BACKEND) from None
        except Died:
            raise BackendDown("the kadmin helper ended in the middle of this", backend=BACKEND) from None
        if "lost" in answer:
            raise BackendDown(f"kadmind: {answer['lost']}", backend=BACKEND)
        if "error" in answer:
            raise Internal(str(answer["error"]))
        return answer

    def close(self) -> None:
        """End the helpers."""
        self._child.close()
        self._initiator.close()
