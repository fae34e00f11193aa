"""The fingerprint of this host's journal in the directory, so that a host put back from a backup shows as such."""

from __future__ import annotations

import ldap

from ceo_common.errors import Changed, NotFound
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
        """What is there, of several the newest.  Raises NotFound (there is no entry), BackendDown."""
        return max(self._texts(), key=_count, default=None)

    def write(self, old: str | None, new: str) -> None:
        """Put one value in the place of all.  Raises Changed, NotFound, Forbidden, BackendDown."""
        # Two workers that start at once, and find nothing, add one each.
        texts = self._texts()
        if max(texts, key=_count, default=None) != old:
            raise Changed(f"{self.name} is not as it was")
        remove = tuple(self._prefix + text for text in texts)
        self._directory.change_as_host(self._dn, Change(_ATTRIBUTE, remove, (self._prefix + new,)))

    def _texts(self) -> list[str]:
        """Each fingerprint of this state_dir's journal."""
        entries = self._directory.search(
            self._dn, "(objectClass=*)", [_ATTRIBUTE], scope=ldap.SCOPE_BASE
        )
        if not entries:
            raise NotFound(f"there is no {self._dn}; etc/README.md says how to make it")
        values = entries[0][1].get(_ATTRIBUTE, [])
        return [
            value.removeprefix(self._prefix) for value in values if value.startswith(self._prefix)
        ]


def _count(text: str) -> int:
    """The second word of a fingerprint, as ceod.transaction.fingerprint writes it; -1 where there is none."""
    words = text.split(" ")
    return int(words[1]) if len(words) == 4 and words[1].isdecimal() else -1
