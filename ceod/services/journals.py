"""The fingerprint of this host's journal in the directory, so that a host put back from a backup shows as such."""

from __future__ import annotations

import ldap

from ceo_common.errors import NotFound
from ceod.services import ldap_names as names
from ceod.services.directory import Directory
from ceod.services.ldap_connection import Change

_ATTRIBUTE = "description"


class DirectoryWitness:
    """The values of cn=<host>,ou=Journals: a state_dir and the fingerprint of its journal, as texts, one for each state_dir."""

    def __init__(self, directory: Directory, host: str, state_dir: str) -> None:
        self._directory = directory
        self._dn = names.child("cn", host, f"ou=Journals,{directory.settings.base}")
        self._prefix = f"{state_dir} "
        self.name = f"the directory's {self._dn}"

    def read(self) -> str | None:
        """What is there.  Raises NotFound (there is no entry), BackendDown."""
        entries = self._directory.search(
            self._dn, "(objectClass=*)", [_ATTRIBUTE], scope=ldap.SCOPE_BASE
        )
        if not entries:
            raise NotFound(f"there is no {self._dn}; etc/README.md says how to make it")
        for value in entries[0][1].get(_ATTRIBUTE, []):
            if value.startswith(self._prefix):
                return value.removeprefix(self._prefix)
        return None

    def write(self, old: str | None, new: str) -> None:
        """Put one value in the place of the other.  Raises Changed, NotFound, Forbidden, BackendDown."""
        remove = () if old is None else (self._prefix + old,)
        change = Change(_ATTRIBUTE, remove, (self._prefix + new,))
        self._directory.change_as_host(self._dn, change)
