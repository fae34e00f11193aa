"""What anyone with a ticket could ask slapd to write: who, what, and whether slapd has to do it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sandbox import people
from sandbox.club import BASE_DN, LDAP_GROUPS

PEOPLE, GROUP, SUDOERS = f"ou=People,{BASE_DN}", f"ou=Group,{BASE_DN}", f"ou=SUDOers,{BASE_DN}"
SERVICE, COUNTERS = f"ou=Service,{BASE_DN}", f"ou=UidCounters,{BASE_DN}"

# Who writes.  The last two of the generated members play one who was deleted and one who is expired: their tickets live on.
OFFICE, SYSCOM, MEMBER, HOST, ADMIN, ANYBODY = (
    "office1",
    "ctdalek",
    "regular1",
    "ceod/mail",
    "ceod/admin",
    "",
)
*_, EXPIRED, DELETED = (uid for uid, *_ in people.generated_names())
WITHOUT_RIGHTS = (MEMBER, EXPIRED, DELETED, HOST, ANYBODY)

PUT, TAKE, REPLACE = "MODIFY_ADD", "MODIFY_DELETE", "MODIFY_REPLACE"
RELAX = "1.3.6.1.4.1.4203.666.5.12"  # draft-zeilenga-ldap-relax: a modify with it is not checked by slapo-constraint
MANAGE_DSA_IT = "2.16.840.1.113730.3.4.2"  # RFC 3296: slapo-unique heeds it

Given = dict[str, str | list[str] | None]
Values = dict[str, list[str]]
Changes = dict[str, list[tuple[str, list[str]]]]


@dataclass(frozen=True)
class Request:
    """An add (with `values`), a modify (`changes`), a rename (`rdn`), or a delete (with none of them)."""

    dn: str
    values: Values | None = None
    changes: Changes | None = None
    rdn: str = ""
    superior: str | None = None
    controls: tuple[str, ...] = ()


@dataclass(frozen=True)
class Write:
    """Somebody's request and slapd's answer."""

    who: str
    request: Request
    is_allowed: bool = False


def user(uid: str) -> str:
    """The DN of an account."""
    return f"uid={uid},{PEOPLE}"


def group(cn: str) -> str:
    """The DN of a group."""
    return f"cn={cn},{GROUP}"


NEW, NUMBER = "tnobody", "28888"  # nobody's: what is added is taken away before the next write
CLASSES = ["top", "account", "posixAccount", "shadowAccount", "member"]


def person(uid: str = NEW, dn: str = "", /, **other: str | list[str] | None) -> Request:
    """Add a plain member, with other values; None is without the attribute."""
    usual: Given = {
        "objectClass": CLASSES,
        "uid": uid,
        "cn": "Test Person",
        "uidNumber": NUMBER,
        "gidNumber": NUMBER,
        "homeDirectory": f"/users/{uid}",
        "loginShell": "/bin/bash",
        "program": "Mathematics",
        "term": "f2026",
    }
    return Request(dn or user(uid), _values(usual | other))


def own_group(cn: str = NEW, dn: str = "", /, **other: str | list[str] | None) -> Request:
    """Add a group with nobody in it."""
    usual: Given = {"objectClass": ["top", "group", "posixGroup"], "cn": cn, "gidNumber": NUMBER}
    return Request(dn or group(cn), _values(usual | other))


def _values(given: Given) -> Values:
    return {
        name: [value] if isinstance(value, str) else value
        for name, value in given.items()
        if value is not None
    }


def change(dn: str, do: str, attribute: str, *values: str, relax: bool = False) -> Request:
    """Modify one attribute."""
    return Request(
        dn, changes={attribute: [(do, list(values))]}, controls=(RELAX,) if relax else ()
    )


# The attributes of people with another value that is well-formed, and those of groups.
OF_PEOPLE = {
    "uid": "tother",
    "cn": "Another Name",
    "sn": "Another",
    "givenName": "Another",
    "uidNumber": "28889",
    "gidNumber": "28889",
    "homeDirectory": "/users/tother",
    "loginShell": "/bin/sh",
    "program": "Physics",
    "term": "w2027",
    "nonMemberTerm": "w2027",
    "shadowExpire": "30000",
    "position": "president",
    "userPassword": "x",
    "description": "x",
    "objectClass": "club",
}
OF_GROUPS = {
    "cn": "tother",
    "gidNumber": "28889",
    "uniqueMember": user(MEMBER),
    "memberUid": MEMBER,
    "userPassword": "x",
    "description": "x",
    "objectClass": "club",
}
OPTIONS = ("lang-en", "lang-", "x-none", "binary", "range=0-1", "range=", "lang-en;x-none")

RESERVED = """
    root daemon bin sys sync mail news nobody nogroup www-data backup list adm tty disk kmem shadow utmp sasl plugdev staff users
    sudo wheel admin docker lxd libvirt libvirt-qemu kvm render input sgx wireshark netdev crontab systemd-network systemd-journal
    systemd-resolve systemd-timesync messagebus polkitd sshd ssh-cert ssl-cert postgres mysql openldap postfix postdrop dovecot
    mailman git ntp redis bind tomcat9 krbtgt kadmin kprop host ldap http nfs all toor postmaster abuse tlist-owner tlist-request
""".split()
MALFORMED = (
    "../root",
    "x:0:0",
    "/x",
    "x/y",
    "x y",
    " x",
    "x\ny",
    "x\n",
    "x\0",
    "x\x1b",
    "Root",
    "1x",
    "-x",
    "_x",
    "%x",
    "x.y",
    "x$",
    "x,y",
    "x+y",
    "x=y",
    "#x",
    '"x"',
    "é",
    "x\u200b",
    "\u0440oot",
    "\uff52oot",
    "o\ufb01ce1",
    "x" * 33,
)
BAD_TERMS = ("w9999", "w2050", "w1899", "x2026", "W2026", "w26", "f20266", "2026", "w2026\n")
BAD_TEXTS = ("a\nb", "a\rb", "a\x1b[2Jb", "a\0b", "a\x7fb", "a" * 513)
BAD_SHELLS = (
    "/tmp/evil",
    "/bin/../tmp/evil",
    "/users/regular1/sh",
    "bash",
    "/bin/bash\n",
    "/bin/bash -c x",
    "/usr/local/bin/x",
)


def _options() -> Iterator[Write]:
    """uid;lang-en is an attribute of its own to slapo-unique, slapo-constraint and access rules."""
    for option in OPTIONS:
        for attribute, value in OF_PEOPLE.items():
            yield Write(OFFICE, change(user(OFFICE), PUT, f"{attribute};{option}", value))
            yield Write(SYSCOM, change(user("rep1"), PUT, f"{attribute};{option}", value))
            yield Write(OFFICE, person(**{f"{attribute};{option}": value}))
        for attribute, value in OF_GROUPS.items():
            yield Write(SYSCOM, change(group("office"), PUT, f"{attribute};{option}", value))
            yield Write(OFFICE, own_group(**{f"{attribute};{option}": value}))
        yield Write(ADMIN, change(user("rep1"), PUT, f"uid;{option}", "tother"))
        yield Write(MEMBER, change(user(MEMBER), REPLACE, f"loginShell;{option}", "/bin/sh"))
        yield Write(
            MEMBER, change(user(MEMBER), REPLACE, f"loginShell;{option}", "/bin/sh", relax=True)
        )
        yield Write(OFFICE, change(user("rep1"), PUT, f"term;{option}", "w2027", relax=True))
    # In a DN slapd leaves an option out: what is added is uid=NAME, and checked as that.
    yield Write(OFFICE, person(NEW, f"uid;lang-en={NEW},{PEOPLE}"), is_allowed=True)
    yield Write(OFFICE, person("docker", f"uid;lang-en=docker,{PEOPLE}"))
    yield Write(OFFICE, own_group("sudo", f"cn;lang-en=sudo,{GROUP}", cn=None))


def _names() -> Iterator[Write]:
    for name in RESERVED:
        yield Write(OFFICE, person(name))
        yield Write(OFFICE, own_group(name))
    for who in (SYSCOM, ADMIN):
        yield Write(who, person("docker"))
        yield Write(who, own_group("docker"))
    # An administrative group may be named like the system's: the club has audio and video.
    yield Write(SYSCOM, own_group("tape", gidNumber="10999"), is_allowed=True)
    yield Write(OFFICE, own_group("tape", gidNumber="10999"))
    for name in MALFORMED:
        escaped = "".join(f"\\{byte:02x}" for byte in name.encode())
        for who in (OFFICE, ADMIN):
            yield Write(who, person(name, user(escaped)))
            yield Write(who, own_group(name, group(escaped)))
        # slapd adds the attribute that the DN names, after the constraints.
        yield Write(OFFICE, person(name, user(escaped), uid=None, homeDirectory=f"/users/{name}"))
        yield Write(OFFICE, own_group(name, group(escaped), cn=None))
    yield Write(OFFICE, own_group("sudo", cn=None))
    yield Write(OFFICE, own_group(NEW, cn=None))
    yield Write(OFFICE, person(NEW, uid=None))


def _places() -> Iterator[Write]:
    """Only uid=NAME,ou=People and cn=NAME,ou=Group."""
    for who in (OFFICE, SYSCOM, ADMIN):
        yield Write(who, person(NEW, f"cn=Test Person,{PEOPLE}"))
        yield Write(who, person(NEW, f"uidNumber={NUMBER},{PEOPLE}"))
        yield Write(who, person(NEW, f"uid={NEW}+cn=Test Person,{PEOPLE}"))
        yield Write(who, person(NEW, f"uid={NEW},{user('rep1')}"))
        yield Write(who, person("tother", user(NEW)))
        yield Write(who, person(uid=[NEW, "tother"]))
        yield Write(who, own_group(NEW, f"gidNumber={NUMBER},{GROUP}"))
        yield Write(who, own_group(NEW, f"cn={NEW}+gidNumber={NUMBER},{GROUP}"))
        yield Write(who, own_group(NEW, f"cn={NEW},{group('office')}"))
        yield Write(who, own_group(cn=[NEW, "wheel"]))
    for place in (GROUP, SUDOERS, SERVICE, COUNTERS, BASE_DN):
        yield Write(OFFICE, person(NEW, f"uid={NEW},{place}"))
    for place in (PEOPLE, SUDOERS, SERVICE, COUNTERS, BASE_DN):
        yield Write(OFFICE, own_group(NEW, f"cn={NEW},{place}"))


def _values_of_new_entries() -> Iterator[Write]:
    for attribute in ("cn", "sn", "givenName", "program"):
        for text in BAD_TEXTS:
            yield Write(OFFICE, person(**{attribute: text}))
        yield Write(OFFICE, person(**{attribute: ["One Name", "Two Names"]}))
    for term in (*BAD_TERMS, "w2026\0x"):
        yield Write(OFFICE, person(term=term))
        yield Write(OFFICE, person(nonMemberTerm=term))
        yield Write(ADMIN, person(term=term))
    for shell in BAD_SHELLS:
        yield Write(OFFICE, person(loginShell=shell))
        yield Write(ADMIN, person(loginShell=shell))
    for number in ("0", "1000", "10500", "30500", "20001", "100000", "-1", "65534", "288888"):
        yield Write(OFFICE, person(uidNumber=number, gidNumber=number))
        yield Write(OFFICE, own_group(gidNumber=number))
    for number in ("0", "1000", "20001", "100000", "65534"):
        for who in (SYSCOM, ADMIN):
            yield Write(who, person(uidNumber=number, gidNumber=number))
            yield Write(who, own_group(gidNumber=number))
    for who in (OFFICE, SYSCOM, ADMIN):
        yield Write(who, person(gidNumber="10001"))
        yield Write(who, person(homeDirectory="/root"))
        yield Write(who, person(homeDirectory="/users/ctdalek"))


def _attributes_of_new_entries() -> Iterator[Write]:
    """Nothing beside what a plain member has."""
    more = {
        "position": "president",
        "userPassword": "x",
        "shadowExpire": "30000",
        "shadowLastChange": "1",
        "shadowMin": "1",
        "shadowMax": "1",
        "shadowWarning": "1",
        "shadowInactive": "1",
        "shadowFlag": "1",
        "gecos": "x",
        "description": "x",
        "studentid": "1",
        "seeAlso": BASE_DN,
        "l": "x",
        "o": "x",
        "ou": "x",
        "host": "x",
        "authzTo": "u:ctdalek",
        "authzFrom": "u:office1",
        "ref": "ldap://x/",
        "mail": "x@x",
        "uniqueMember": user(OFFICE),
        "memberUid": OFFICE,
        "sudoUser": OFFICE,
        "owner": user(OFFICE),
        "creatorsName": user(SYSCOM),
        "entryUUID": "0b3e7a1c-0000-4000-8000-000000000000",
        "structuralObjectClass": "account",
    }
    for attribute, value in more.items():
        yield Write(OFFICE, person(**{attribute: value}))
        yield Write(OFFICE, own_group(**{attribute: value}))
    for name in (
        "club",
        "group",
        "posixGroup",
        "extensibleObject",
        "sudoRole",
        "simpleSecurityObject",
        "inetOrgPerson",
        "dynamicObject",
        "domainRelatedObject",
        "uidObject",
        "alias",
        "referral",
        "subentry",
    ):
        yield Write(OFFICE, person(objectClass=[*CLASSES, name]))
        if name not in ("group", "posixGroup"):
            yield Write(OFFICE, own_group(objectClass=["top", "group", "posixGroup", name]))
    for left_out in ("posixAccount", "member", "account"):
        yield Write(OFFICE, person(objectClass=[name for name in CLASSES if name != left_out]))
    only = {"uidNumber": None, "gidNumber": None, "homeDirectory": None, "loginShell": None}
    yield Write(OFFICE, person(objectClass=["top", "account", "member"], **only))
    yield Write(OFFICE, person(objectClass=["top", "account", "shadowAccount", "member"], **only))
    yield Write(OFFICE, own_group(objectClass=["top", "group"], gidNumber=None))
    yield Write(OFFICE, own_group(objectClass=["top", "posixGroup"]))
    for control in (RELAX, MANAGE_DSA_IT):
        for request in (
            person("docker"),
            person(uidNumber="20001", gidNumber="20001"),
            person(position="x"),
            own_group("sudo"),
            own_group(gidNumber="10001"),
            person(loginShell="/tmp/evil"),
        ):
            yield Write(OFFICE, replace(request, controls=(control,)))


def _modifications() -> Iterator[Write]:
    """Each attribute of people and groups that are there, with each verb, with and without the Relax control."""
    for relax in (False, True):
        for attribute, value in OF_PEOPLE.items():
            for who, dn in (
                (OFFICE, user("rep1")),
                (OFFICE, user(OFFICE)),
                (OFFICE, user("go-club")),
                (OFFICE, user(DELETED)),
                (MEMBER, user(MEMBER)),
                (MEMBER, user("rep1")),
                (EXPIRED, user(EXPIRED)),
                (DELETED, user(DELETED)),
                (HOST, user("rep1")),
                (ANYBODY, user("rep1")),
            ):
                yield Write(
                    who,
                    change(dn, PUT, attribute, value, relax=relax),
                    _may(who, dn, PUT, attribute),
                )
                yield Write(
                    who,
                    change(dn, REPLACE, attribute, value, relax=relax),
                    _may(who, dn, REPLACE, attribute),
                )
                if (who, attribute) != (OFFICE, "shadowExpire"):  # see _deletions
                    yield Write(
                        who,
                        change(dn, TAKE, attribute, relax=relax),
                        _may(who, dn, TAKE, attribute),
                    )
        for attribute, value in OF_GROUPS.items():
            for who in (OFFICE, *WITHOUT_RIGHTS):
                for name in ("syscom", "office", "go-club"):
                    yield Write(
                        who,
                        change(
                            group(name),
                            PUT,
                            attribute,
                            value.replace(MEMBER, who or MEMBER),
                            relax=relax,
                        ),
                    )
                    yield Write(who, change(group(name), TAKE, attribute, relax=relax))
        # To an access rule capitals are what small letters are, and a pattern ends at a NUL.
        for term in (
            term
            for term in (*BAD_TERMS, "w2026\0x")
            if not (relax and term in ("W2026", "w2026\0x"))
        ):
            for attribute in ("term", "nonMemberTerm"):
                yield Write(OFFICE, change(user("rep1"), PUT, attribute, term, relax=relax))
        for shell in BAD_SHELLS:
            yield Write(MEMBER, change(user(MEMBER), REPLACE, "loginShell", shell, relax=relax))
        for day in ("1", "0", "30000"):
            yield Write(OFFICE, change(user(EXPIRED), REPLACE, "shadowExpire", day, relax=relax))
    for attribute, value in (
        ("uidNumber", "20001"),
        ("uidNumber", "0"),
        ("gidNumber", "10001"),
        ("homeDirectory", "/root"),
        ("uid", "sudo"),
        ("term", "w9999"),
        ("loginShell", "/tmp/evil"),
        ("objectClass", "extensibleObject"),
    ):
        for who in (SYSCOM, ADMIN):
            yield Write(
                who,
                change(
                    user("rep1"),
                    PUT if attribute in ("uid", "term", "objectClass") else REPLACE,
                    attribute,
                    value,
                ),
            )


def _may(who: str, dn: str, do: str, attribute: str) -> bool:
    """What may be modified without being of the systems committee."""
    if who == OFFICE and attribute in ("term", "nonMemberTerm"):
        return do == PUT and dn in (user("rep1"), user(OFFICE))
    if who in (OFFICE, MEMBER) and attribute == "loginShell":
        return do in (REPLACE, TAKE) and dn == user(who)
    return False


def _deletions() -> Iterator[Write]:
    """Only ceod/admin takes back a deletion; office staff ends an expiry."""
    dn = user(DELETED)
    shell = {"shadowExpire": [(TAKE, ["1"])], "loginShell": [(REPLACE, ["/bin/bash"])]}
    for controls in ((), (RELAX,), (MANAGE_DSA_IT,)):
        for request in (
            change(dn, TAKE, "shadowExpire"),
            change(dn, TAKE, "shadowExpire", "1"),
            change(dn, REPLACE, "shadowExpire"),
            change(dn, REPLACE, "shadowExpire", "30000"),
            change(dn, REPLACE, "shadowExpire", "1"),
            change(dn, TAKE, "loginShell"),
            change(dn, REPLACE, "loginShell", "/bin/bash"),
            change(dn, PUT, "term", "w2027"),
            change(dn, REPLACE, "uidNumber", "28889"),
            Request(dn, changes=dict(shell)),
            Request(
                dn,
                changes={"objectClass": [(TAKE, ["shadowAccount"])], "shadowExpire": [(TAKE, [])]},
            ),
            Request(dn),
            Request(dn, rdn="uid=tother"),
            Request(dn, rdn=f"uid={DELETED}", superior=GROUP),
        ):
            for who in (OFFICE, SYSCOM, DELETED, MEMBER, HOST):
                yield Write(who, replace(request, controls=controls))
    yield Write(ADMIN, Request(dn, changes=dict(shell)), is_allowed=True)
    for controls in ((), (RELAX,)):
        for request in (
            change(user(OFFICE), TAKE, "shadowExpire"),
            change(user(OFFICE), REPLACE, "shadowExpire"),
        ):
            yield Write(OFFICE, replace(request, controls=controls))
    for request in (
        change(user(EXPIRED), TAKE, "shadowExpire"),
        change(user(EXPIRED), REPLACE, "shadowExpire"),
    ):
        yield Write(EXPIRED, request)
        for who in (OFFICE, SYSCOM, ADMIN):
            yield Write(who, request, is_allowed=True)


def _entries() -> Iterator[Write]:
    """Adding, deleting, renaming and moving what is there or is not."""
    role = Request(
        f"cn=%{NEW},{SUDOERS}",
        _values({"objectClass": ["top", "sudoRole"], "cn": f"%{NEW}", "sudoUser": OFFICE}),
    )
    service = Request(
        f"uid=ceod/{NEW},{SERVICE}",
        _values({"objectClass": ["top", "account"], "uid": f"ceod/{NEW}"}),
    )
    counter = f"cn=members,{COUNTERS}"
    for who in (OFFICE, *WITHOUT_RIGHTS):
        for request in (
            role,
            service,
            change(counter, REPLACE, "uidNumber", "20001"),
            Request(counter),
            change(BASE_DN, PUT, "description", "x"),
            change(f"cn=%go-club,{SUDOERS}", PUT, "sudoUser", "ALL"),
            Request(f"cn=%go-club,{SUDOERS}"),
            Request(user("rep1")),
            Request(group("rep1")),
            Request(group("office")),
            Request(PEOPLE),
            Request(BASE_DN),
            Request(user("rep1"), rdn="uid=tother"),
            Request(group("rep1"), rdn="cn=tother"),
            Request(group("office"), rdn="cn=wheel"),
            Request(user("rep1"), rdn="uid=rep1", superior=GROUP),
            Request(PEOPLE, rdn="ou=Persons"),
        ):
            yield Write(who, request)
        if who != OFFICE:
            yield Write(who, person())
            yield Write(who, own_group())
            yield Write(who, Request(user(who or MEMBER)) if who != HOST else Request(user(MEMBER)))
    for who in (SYSCOM, ADMIN):
        yield Write(who, role, is_allowed=True)
        yield Write(who, change(f"cn=%go-club,{SUDOERS}", PUT, "sudoUser", "rep1"), is_allowed=True)
        yield Write(
            who, change(f"cn=clubs,{COUNTERS}", REPLACE, "uidNumber", "39000"), is_allowed=True
        )
        for name in ("office", *list(LDAP_GROUPS)[:2]):
            yield Write(
                who, change(group(name), PUT, "uniqueMember", user(MEMBER)), is_allowed=True
            )
        yield Write(who, change(user(MEMBER), REPLACE, "position", "president"), is_allowed=True)
        yield Write(who, change(user(MEMBER), REPLACE, "shadowExpire", "30000"), is_allowed=True)
        yield Write(
            who,
            person(
                objectClass=[*CLASSES[:4], "club"],
                program=None,
                term=None,
                uidNumber="38888",
                gidNumber="38888",
            ),
            is_allowed=True,
        )
        yield Write(who, own_group(gidNumber="10999", uniqueMember=user(MEMBER)), is_allowed=True)
        yield Write(who, person(), is_allowed=True)
    yield Write(SYSCOM, service, is_allowed=True)
    for request in (
        service,
        change(SERVICE, PUT, "description", "x"),
        change(BASE_DN, PUT, "description", "x"),
    ):
        yield Write(ADMIN, request)
    for request in (
        person(),
        person(term=None, nonMemberTerm="f2026"),
        person(sn="Person", givenName="Test"),
        person(cn="Zoë Łukasz 李明"),
        # The longest name that ceod takes, and joiners that scripts need.
        person(cn="𠮷" * 128),
        person(cn="علی\u200cرضا", sn="शर्\u200dमा"),
        person(term=["f2026", "w2027", "s2027"]),
        person(program=None),
        person(uidNumber="29999", gidNumber="29999"),
        own_group(),
        person("t" * 32),
        own_group("t_1-"),
        person("sudoku"),
        own_group("rooted"),
        own_group("dockerfile"),
    ):
        yield Write(OFFICE, request, is_allowed=True)
    for shell in ("/bin/sh", "/bin/bash", "/usr/bin/zsh", "/usr/sbin/nologin"):
        yield Write(MEMBER, change(user(MEMBER), REPLACE, "loginShell", shell), is_allowed=True)


WRITES = tuple(
    write
    for make in (
        _options,
        _names,
        _places,
        _values_of_new_entries,
        _attributes_of_new_entries,
        _modifications,
        _deletions,
        _entries,
    )
    for write in make()
)
