"""What ceo does with the KDC's database: one session, principals created, looked at, changed and deleted."""

from __future__ import annotations

from ceo_common.krb5 import kadm5
from ceo_common.krb5._krb5 import lib
from ceo_common.krb5.errors import Krb5Error

TRANSACTION_TL_DATA = 1000  # the type of tl_data (>= 256 is for applications) that says which transaction made a principal


class NotThere(Exception):
    """The KDC has no such principal."""


class AlreadyThere(Exception):
    """The KDC has that principal already."""


class Admin:
    """A kadmin session.  Every method raises Krb5Error too; none of them ever times out."""

    def __init__(self, handle: kadm5.Handle) -> None:
        self.handle = handle

    @classmethod
    def with_keytab(cls, client: str, keytab: str) -> Admin:
        """A session with a key."""
        return cls(kadm5.init_with_skey(client, keytab))

    @classmethod
    def with_password(cls, client: str, password: str) -> Admin:
        """A session with a password."""
        return cls(kadm5.init_with_password(client, password))

    def create(self, name: str, password: str, *, needchange: bool = False, transaction: str = "") -> None:
        """Create a principal, marked in the same call with the transaction that does so.  Raises AlreadyThere."""
        # Without pre-authentication anybody could fetch something encrypted with the password, to guess at.
        entry = kadm5.Entry(name, attributes=lib.KRB5_KDB_REQUIRES_PRE_AUTH)
        if needchange:
            entry.attributes |= lib.KRB5_KDB_REQUIRES_PWCHANGE
        mask = lib.KADM5_PRINCIPAL | lib.KADM5_ATTRIBUTES
        if transaction:
            entry.tl_data[TRANSACTION_TL_DATA] = transaction.encode()
            mask |= lib.KADM5_TL_DATA
        try:
            kadm5.create_principal(self.handle, entry, password, mask)
        except Krb5Error as error:
            raise AlreadyThere(name) if error.code == lib.KADM5_DUP else error from None

    def get(self, name: str) -> kadm5.Entry:
        """The principal's entry.  Raises NotThere."""
        try:
            return kadm5.get_principal(self.handle, name)
        except Krb5Error as error:
            raise NotThere(name) if error.code == lib.KADM5_UNK_PRINC else error from None

    def set_password(self, name: str, password: str, *, needchange: bool = False) -> None:
        """Set a password; with needchange it serves for one login.  Raises NotThere."""
        entry = self.get(name)
        kadm5.chpass_principal(self.handle, name, password)
        if needchange:
            entry.attributes |= lib.KRB5_KDB_REQUIRES_PWCHANGE
            kadm5.modify_principal(self.handle, entry, lib.KADM5_ATTRIBUTES)

    def modify(self, name: str, *, set_attributes: int = 0, clear_attributes: int = 0, expires: int | None = None) -> None:
        """Set and clear attribute bits (KRB5_KDB_*), and the expiry in seconds since the epoch (0: never).  Raises NotThere."""
        entry = self.get(name)
        entry.attributes = entry.attributes & ~clear_attributes | set_attributes
        # What is not to change is left out: somebody else may change it at this moment.
        mask = lib.KADM5_ATTRIBUTES if set_attributes or clear_attributes else 0
        if expires is not None:
            entry.expires = expires
            mask |= lib.KADM5_PRINC_EXPIRE_TIME
        if mask:
            kadm5.modify_principal(self.handle, entry, mask)

    def delete(self, name: str) -> None:
        """Delete a principal.  Raises NotThere."""
        try:
            kadm5.delete_principal(self.handle, name)
        except Krb5Error as error:
            raise NotThere(name) if error.code == lib.KADM5_UNK_PRINC else error from None

    def names(self, pattern: str) -> list[str]:
        """The principals that match a glob pattern."""
        return kadm5.get_principals(self.handle, pattern)


# kadmind's own word that its ACL forbids it: nothing was done, and asking again would change nothing.
REFUSALS = frozenset((lib.KADM5_AUTH_GET, lib.KADM5_AUTH_ADD, lib.KADM5_AUTH_MODIFY, lib.KADM5_AUTH_DELETE, lib.KADM5_AUTH_CHANGEPW,
                      lib.KADM5_AUTH_INSUFFICIENT))

NEEDS_CHANGE: int = lib.KRB5_KDB_REQUIRES_PWCHANGE
PRE_AUTH: int = lib.KRB5_KDB_REQUIRES_PRE_AUTH
DISALLOW_ALL: int = lib.KRB5_KDB_DISALLOW_ALL_TIX
