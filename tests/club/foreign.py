"""What slapd's rules keep out of the directory, written into it all the same, while slapd runs.

back-mdb lets several processes write, and slapmodify(8) knows no overlays and no access rules.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from ceod.people_index.store import FOLDER
from sandbox.club import BASE_DN, host_place
from tests.club.club import ADMIN, Club

PEOPLE, GROUPS = f"ou=People,{BASE_DN}", f"ou=Group,{BASE_DN}"

# slapd's configuration without the rules, which may forbid options.
_WRITE = (
    "grep -v -e slapd-acl.conf -e attributeoptions /etc/ldap/slapd.conf > /tmp/bare.conf"
    " && slapmodify -f /tmp/bare.conf"
)
# slapmodify leaves this out when it changes an entry.
_INDEX = " && slapindex -q -f /tmp/bare.conf uid cn uidNumber gidNumber uniqueMember term"


def write(club: Club, ldif: str) -> None:
    """Change the directory; `ldif` as ldapmodify takes it."""
    done = club.run_as(
        "root",
        "sh",
        "-c",
        _WRITE + (_INDEX if "changetype: modify" in ldif else ""),
        text=ldif,
        host=ADMIN,
    )
    assert done.returncode == 0, done
    # slapd does not tell of what it did not write, and leaves entries out of a refresh that are newer
    # than its own newest change: so it makes one.  Then the index is made anew, by another feed: one
    # that had begun to read before would publish what it read, and follow slapd's own change.
    changed = f"dn: ou=Journals,{BASE_DN}\nchangetype: modify\nreplace: description\n"
    done = club.run_as("ctdalek", "ldapmodify", "-Q", text=f"{changed}description: {uuid.uuid4()}\n")
    assert done.returncode == 0, done
    club.run_as("root", "pkill", "-KILL", "-f", "ceod[.]people_index[.]feed", host=ADMIN)
    for path in (host_place(ADMIN) / "ceod" / FOLDER).iterdir():
        path.unlink(missing_ok=True)


@contextmanager
def written(club: Club, *entries: tuple[str, str]) -> Iterator[None]:
    """New entries for a while: each DN with the lines of its attributes."""
    write(club, "\n".join(f"dn: {dn}\nchangetype: add\n{lines}\n" for dn, lines in entries))
    try:
        yield
    finally:
        write(club, "\n".join(f"dn: {dn}\nchangetype: delete\n" for dn, _ in entries))


def user(name: str, number: int | str, *more: str, named_by: str = "") -> tuple[str, str]:
    """A whole account's entry, with more lines; `named_by` is the RDN, uid=name by default."""
    lines = [
        *(
            f"objectClass: {name}"
            for name in ("top", "account", "posixAccount", "shadowAccount", "member")
        ),
        f"uid: {name}",
        "cn: Foreign Person",
        f"uidNumber: {number}",
        f"gidNumber: {number}",
        f"homeDirectory: /users/{name}",
        "loginShell: /bin/bash",
    ]
    return f"{named_by or f'uid={name}'},{PEOPLE}", "\n".join([*lines, *more])


def group(name: str, number: int | str, *more: str, named_by: str = "") -> tuple[str, str]:
    """A whole group's entry."""
    lines = [
        *(f"objectClass: {name}" for name in ("top", "group", "posixGroup")),
        f"cn: {name}",
        f"gidNumber: {number}",
    ]
    return f"{named_by or f'cn={name}'},{GROUPS}", "\n".join([*lines, *more])
