"""The configuration files of the sandbox's servers and of its clients, written into its own /etc."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path

from sandbox.club import (
    ADDRESSES,
    BASE_DN,
    CEOD_PORT,
    CHECKOUT,
    DOMAIN,
    GROUPS,
    HOSTS,
    NETWORK,
    PEOPLE,
    REALM,
    ROLES,
    SRV,
    UW_BASE_DN,
    fqdn,
    host_place,
)

_ADMIN = ADDRESSES["phosphoric-acid"]


def write(path: str | Path, text: str, mode: int = 0o644) -> None:
    """Write a file and the folders above it."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    target.write_text(text)
    target.chmod(mode)


def write_etc(*, plain_http: bool) -> None:
    """Everything under /etc, and each host's /etc/csc."""
    _names()
    _kerberos()
    _directory()
    _mailman()
    # Where the club's mail host has it.
    write("/opt/mailman3/bin/mailman", """#!/bin/sh
exec setpriv --reuid list --regid list --init-groups env HOME=/srv/club/mailman \\
    /usr/lib/mailman3/bin/mailman -C /etc/mailman3/mailman.cfg "$@"
""", 0o755)
    for host in HOSTS:
        _ceod(host, plain_http=plain_http)
    write("/etc/csc/ceo.toml", ceo_toml())


def _names() -> None:
    aliases = "".join(f"{address} {fqdn(host)} {host}\n" for host, address in ADDRESSES.items())
    write("/etc/hosts", f"127.0.0.1 localhost\n{aliases}")
    databases = "passwd group shadow hosts services protocols networks"
    write("/etc/nsswitch.conf", "".join(f"{name}: files\n" for name in databases.split()))

    def system_lines(name: str) -> str:
        lines = [line for line in Path("/etc", name).read_text().splitlines() if line.count(":") > 2 or name == "group"]
        ids = [(line, line.split(":")) for line in lines if ":" in line]
        return "".join(f"{line}\n" for line, f in ids if f[2].isdigit() and not 1000 <= int(f[2]) < 60000)

    people = "".join(f"{name}:x:{uid}:{uid}:{name}:/users/{name}:/bin/bash\n" for name, uid in PEOPLE.items())
    write("/etc/passwd", system_lines("passwd") + people)
    groups = "".join(f"{name}:x:{uid}:\n" for name, uid in PEOPLE.items())
    groups += "".join(f"{name}:x:{gid}:{','.join(members)}\n" for name, (gid, members) in GROUPS.items())
    write("/etc/group", system_lines("group") + groups)
    names = [line.split(":")[0] for line in Path("/etc/passwd").read_text().splitlines()]
    write("/etc/shadow", "".join(f"{name}:*:20000:0:99999:7:::\n" for name in names), 0o640)


def _kerberos() -> None:
    # qualify_shortname: without it curl asks for ceod/phosphoric-acid@ and fails.
    write("/etc/krb5.conf", f"""[libdefaults]
 default_realm = {REALM}
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 rdns = false
 qualify_shortname = {DOMAIN}
 forwardable = true
 default_ccache_name = FILE:/tmp/krb5cc_%{{uid}}
[realms]
 {REALM} = {{
  kdc = {_ADMIN}:88
  admin_server = {_ADMIN}:749
  kpasswd_server = {_ADMIN}:464
 }}
[domain_realm]
 .{DOMAIN} = {REALM}
[logging]
 kdc = STDERR
 admin_server = STDERR
 default = STDERR
""")
    write("/etc/krb5kdc/kdc.conf", f"""[kdcdefaults]
 kdc_listen = {_ADMIN}:88
 kdc_tcp_listen = {_ADMIN}:88
[realms]
 {REALM} = {{
  database_name = {SRV}/kdc/principal
  key_stash_file = {SRV}/kdc/stash
  acl_file = /etc/krb5kdc/kadm5.acl
  kadmind_listen = {_ADMIN}:749
  kpasswd_listen = {_ADMIN}:464
  iprop_listen = {_ADMIN}:754
  default_principal_flags = +preauth
  supported_enctypes = aes256-cts-hmac-sha1-96:normal
  max_life = 10h
  max_renewable_life = 7d
 }}
""")
    # One-component targets only: "*@REALM" does not match */admin, krbtgt/..., K/M or kadmin/admin.
    write("/etc/krb5kdc/kadm5.acl", f"ceod/admin@{REALM} acdim *@{REALM}\nsysadmin/admin@{REALM} *\n")


def _directory() -> None:
    write("/etc/ldap/ldap.conf", f"URI ldaps://{fqdn('phosphoric-acid')}\nBASE {BASE_DN}\n"
                                 "TLS_CACERT /etc/csc/ca.pem\nSASL_NOCANON on\nSASL_MECH GSSAPI\nSASL_SECPROPS maxssf=0\n")
    standard = "".join(f"include /etc/ldap/schema/{name}.schema\n" for name in ("core", "cosine", "inetorgperson", "misc"))
    ours = "".join(f"include {CHECKOUT}/etc/schema/{name}.schema\n" for name in ("rfc2307bis", "sudo", "csc"))
    modules = "modulepath /usr/lib/ldap\nmoduleload back_mdb\nmoduleload unique\nmoduleload constraint\nmoduleload syncprov\n"
    place = host_place("phosphoric-acid")
    # The realm's own principals only, in both forms that slapd makes of them: usernames are people, ceod/... are services.
    write("/etc/ldap/slapd.conf", f"""{standard}{ours}{modules}
TLSCACertificateFile {place}/csc/ca.pem
TLSCertificateFile {place}/csc/tls/cert.pem
TLSCertificateKeyFile {place}/csc/tls/key.pem
sasl-host {fqdn('phosphoric-acid')}
sasl-realm {REALM}
sasl-secprops noanonymous
authz-regexp "^uid=ceod/([a-z0-9.-]+),cn={REALM},cn=gssapi,cn=auth$" "uid=ceod/$1,ou=Service,{BASE_DN}"
authz-regexp "^uid=ceod/([a-z0-9.-]+),cn=gssapi,cn=auth$" "uid=ceod/$1,ou=Service,{BASE_DN}"
authz-regexp "^uid=([a-z][a-z0-9_-]*),cn={REALM},cn=gssapi,cn=auth$" "uid=$1,ou=People,{BASE_DN}"
authz-regexp "^uid=([a-z][a-z0-9_-]*),cn=gssapi,cn=auth$" "uid=$1,ou=People,{BASE_DN}"
sizelimit unlimited
threads 8

database mdb
maxsize 268435456
dbnosync
suffix "{BASE_DN}"
directory {SRV}/ldap
index objectClass eq
index uid,cn eq,sub,approx
index uidNumber,gidNumber,term,nonMemberTerm,position,uniqueMember,memberUid,sudoUser,owner eq
index program eq,sub
index entryCSN,entryUUID eq
include {CHECKOUT}/etc/slapd-acl.conf
""", 0o600)
    write("/etc/ldap/slapd-uw.conf", f"""{standard}modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
maxsize 67108864
dbnosync
suffix "{UW_BASE_DN}"
directory {SRV}/uwldap
index objectClass,uid eq
access to * by * read
""")


def _mailman() -> None:
    # Each runner costs a second of processor time at every start: without those of posts, which nobody can hand in here, and
    # without the one that tries again after a quarter of an hour.
    drop = ("archive", "bounces", "command", "digest", "in", "lmtp", "nntp", "pipeline", "retry", "shunt", "task")
    off = "".join(f"[runner.{name}]\nstart: no\n" for name in drop)
    write("/etc/mailman3/mailman.cfg", f"""[mailman]
site_owner: root@{DOMAIN}
layout: club
[paths.club]
var_dir: {SRV}/mailman
bin_dir: /usr/lib/mailman3/bin
log_dir: {SRV}/mailman/logs
queue_dir: {SRV}/mailman/queue
lock_dir: {SRV}/mailman/locks
pid_file: {SRV}/mailman/master.pid
ext_dir: /etc/mailman3
[mta]
incoming: mailman.mta.null.NullMTA
smtp_host: 127.0.0.1
smtp_port: 25
lmtp_host: 127.0.0.1
lmtp_port: 8024
[webservice]
hostname: 127.0.0.1
port: 8001
admin_user: ceod
admin_pass: mailman-rest
workers: 1
[database]
class: mailman.database.sqlite.SQLiteDatabase
url: sqlite:///{SRV}/mailman/mailman.db
{off}""")


def ceo_toml() -> str:
    """The client's configuration."""
    hosts = "\n".join(f'{role} = "{fqdn(host)}"' for host, roles in ROLES.items() for role in roles)
    return f'realm = "{REALM}"\ndomain = "{DOMAIN}"\nport = {CEOD_PORT}\nca = "/etc/csc/ca.pem"\n\n[hosts]\n{hosts}\n'


def ceod_toml(host: str, *, plain_http: bool) -> str:
    """One host's ceod configuration."""
    hosts = "\n".join(f'{role} = "{fqdn(name)}"' for name, roles in ROLES.items() for role in roles)
    sections = {
        "admin": f'''
[ldap]
uri = "ldaps://{fqdn('phosphoric-acid')}"
base = "{BASE_DN}"
ca = "/etc/csc/ca.pem"

[uwldap]
uri = "ldap://{fqdn('uwldap')}"
base = "ou=People,{UW_BASE_DN}"

[homes]
root = "/users"
archive = "/users/.archive"
skeleton = "/etc/csc/skel"

[smtp]
host = "{fqdn('mail')}"
port = 25
''',
        "mail": f'''
[ldap]
uri = "ldaps://{fqdn('phosphoric-acid')}"
base = "{BASE_DN}"
ca = "/etc/csc/ca.pem"

[mailman]
url = "http://127.0.0.1:8001/3.1"
user = "ceod"
password = "mailman-rest"
''',
        "library": f'''
[smtp]
host = "{fqdn('mail')}"
port = 25
''',
        "database": f'''
[ldap]
uri = "ldaps://{fqdn('phosphoric-acid')}"
base = "{BASE_DN}"
ca = "/etc/csc/ca.pem"

[mysql]
socket = "/run/mysqld/mysqld.sock"
user = "root"

[postgresql]
host = "/run/postgresql"
user = "postgres"
''',
    }
    body = "".join(text for role, text in sections.items() if role in ROLES[host])
    roles = ", ".join(f'"{role}"' for role in ROLES[host])
    # The networks count in development mode alone; they stand here for `flask run` as well.
    development = f'development_networks = ["127.0.0.0/8", "{NETWORK}"]\n' + ("development = true\n" if plain_http else "")
    return f'''realm = "{REALM}"
domain = "{DOMAIN}"
host = "{fqdn(host)}"
roles = [{roles}]
port = {CEOD_PORT}
state_dir = "/var/lib/ceod"
journal_fingerprint = "/var/lib/ceod-fingerprint/journal"
{development}
[hosts]
{hosts}

[tls]
certificate = "/etc/csc/tls/cert.pem"
key = "/etc/csc/tls/key.pem"
ca = "/etc/csc/ca.pem"
{body}'''


def _ceod(host: str, *, plain_http: bool) -> None:
    """What the host will see as /etc/csc: see hosts.py for the binds."""
    if host not in ROLES:
        return
    csc = host_place(host) / "csc"
    write(csc / "ceod.toml", ceod_toml(host, plain_http=plain_http), 0o600)
    write(csc / "ceo.toml", ceo_toml())
    shutil.copy(CHECKOUT / "etc/gunicorn.conf.py", csc)
    shutil.copytree(CHECKOUT / "etc/templates", csc / "templates", dirs_exist_ok=True)
    skeleton = csc / "skel"
    skeleton.mkdir(exist_ok=True)
    for name in (".bashrc", ".profile", ".bash_logout"):
        if Path("/etc/skel", name).exists():
            shutil.copy(Path("/etc/skel", name), skeleton)
    # A skeleton as one finds them: a folder that is its owner's alone, a link, and a .forward that somebody left there.
    write(skeleton / "private/notes", "yours alone\n", 0o600)
    (skeleton / "private").chmod(0o700)
    (skeleton / "www").unlink(missing_ok=True)
    (skeleton / "www").symlink_to("/var/www")
    write(skeleton / ".forward", "|/bin/false\n")


def own(path: str | Path, user: str, mode: int = 0o755) -> None:
    """A directory that belongs to a user of our /etc/passwd."""
    place = Path(path)
    place.mkdir(parents=True, exist_ok=True)
    place.chmod(mode)
    entry = pwd.getpwnam(user)
    os.chown(place, entry.pw_uid, entry.pw_gid)
