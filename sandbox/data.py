"""The first data of every server, made side by side in the sandbox; supervisor.py keeps the result as a tar."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

from sandbox import books, people
from sandbox.club import ADDRESSES, CHECKOUT, LISTS, PASSWORD, PEOPLE, PYTHON, REALM, ROLES, SRV, fqdn, host_place
from sandbox.files import own, write
from sandbox.processes import become, run
from sandbox.services import INITDB, MARIADB_OPTIONS, POSTGRES

# Everything else is made at each start; these two trees are what the tar holds.
KEPT = ("srv/club", "srv/hosts")
_READY_S = 60.0


def make() -> None:
    """Fill SRV and the hosts' places."""
    owners = {"mysql": "mysql", "postgresql": "postgres", "kdc": "root", "ldap": "root", "uwldap": "root", "mailman": "list"}
    for name, user in owners.items():
        own(SRV / name, user)
    _certificates()  # slapd.conf names them, and slapadd reads it
    with ThreadPoolExecutor() as pool:
        for job in [pool.submit(make_one) for make_one in (_mailman, _mariadb, _postgresql, _kerberos, _directories)]:
            job.result()


def _certificates() -> None:
    """A CA of our own and one certificate a host, valid from 2000 on so that moved clocks agree."""
    ca = Path("/srv/hosts/ca")
    ca.mkdir(parents=True, exist_ok=True)
    ca.chmod(0o700)
    ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    in_2000 = ["faketime", "2000-01-01 00:00:00", "openssl"]
    run([*in_2000, "req", "-x509", *ec, "-days", "36500", "-subj", "/CN=ceo sandbox CA", "-keyout", f"{ca}/key.pem", "-out", f"{ca}/ca.pem",
         "-addext", "keyUsage=critical,keyCertSign,cRLSign"])
    for host in ROLES:
        tls = host_place(host) / "csc/tls"
        tls.mkdir(parents=True, exist_ok=True)
        run(["openssl", "req", *ec, "-subj", f"/CN={fqdn(host)}", "-keyout", f"{tls}/key.pem", "-out", f"{tls}/request.pem"])
        write(tls / "extensions", f"subjectAltName=DNS:{fqdn(host)},DNS:{host},IP:{ADDRESSES[host]}\n"
                                  "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n")
        run([*in_2000, "x509", "-req", "-in", f"{tls}/request.pem", "-CA", f"{ca}/ca.pem", "-CAkey", f"{ca}/key.pem", "-days", "36500",
             "-set_serial", str(1 + list(ROLES).index(host)), "-extfile", f"{tls}/extensions", "-out", f"{tls}/cert.pem"])
        (tls / "key.pem").chmod(0o600)
        for name in ("request.pem", "extensions"):
            (tls / name).unlink()
        write(host_place(host) / "csc/ca.pem", (ca / "ca.pem").read_text())


def _kerberos() -> None:
    run(["kdb5_util", "create", "-s", "-P", "krb5-master"])
    commands = [f"addprinc -pw {PASSWORD} {name}" for name in ("sysadmin/admin", *PEOPLE)]
    commands += [f"addprinc -pw {PASSWORD} {uid}" for uid, _, _, _ in people.generated_names()]
    services = {"phosphoric-acid": ("ceod", "host", "ldap"), "mail": ("ceod", "host"), "coffee": ("ceod", "host", "postgres")}
    for host, names in services.items():
        for service in names:
            keytab = SRV / "postgresql/keytab" if service == "postgres" else host_place(host) / "krb5.keytab"
            commands += [f"addprinc -randkey {service}/{fqdn(host)}", f"ktadd -k {keytab} {service}/{fqdn(host)}"]
    commands += ["addprinc -randkey ceod/admin", f"ktadd -k {host_place('phosphoric-acid') / 'krb5.keytab'} ceod/admin"]
    printed = run(["kadmin.local"], text="\n".join(commands) + "\n")
    assert printed.count("created.") == len([c for c in commands if c.startswith("addprinc")]), printed[-2000:]
    run(["chown", "postgres:", str(SRV / "postgresql/keytab")])


def _directories() -> None:
    # -q: quick, no checks against the overlays; the entries are ours and known to be good.
    run(["slapadd", "-q", "-f", "/etc/ldap/slapd.conf"], text=people.club_ldif(date.today()))
    run(["slapadd", "-q", "-f", "/etc/ldap/slapd-uw.conf"], text=people.uw_ldif())


def _mariadb() -> None:
    run(["mariadb-install-db", *MARIADB_OPTIONS, "--skip-test-db", "--auth-root-authentication-method=socket",
         "--auth-root-socket-user=root", "--skip-name-resolve"], user="mysql")


def _postgresql() -> None:
    data = SRV / "postgresql/data"
    run([INITDB, "-N", "-D", str(data), "-U", "postgres", "--auth-local=peer", "--auth-host=scram-sha-256", "--wal-segsize=1"],
        user="postgres", environment={"LC_ALL": "C.UTF-8"})
    (data / "pg_hba.conf").write_text(
        "local all postgres peer map=ceod\nlocal all all peer\n"
        f"host all all 127.0.0.1/32 scram-sha-256\nhost all all samenet gss include_realm=0 krb_realm={REALM}\n"
    )
    (data / "pg_ident.conf").write_text("ceod root postgres\nceod postgres postgres\n")
    # Everybody may enter what the server has for itself unless one says so: etc/README.md.
    closed = "".join(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC;\n" for name in ("postgres", "template1"))
    run([POSTGRES, "--single", "-D", str(data), "postgres"], user="postgres", text=closed)
    _library(data)


def _library(data: Path) -> None:
    """The library's database as ceod makes it, with its books: that needs a server that speaks to clients."""
    place = "/run/postgresql"
    own(place, "postgres")
    server = subprocess.Popen([*become("postgres"), POSTGRES, "-D", str(data), "-c", "listen_addresses=", "-c", "fsync=off",
                               "-c", f"unix_socket_directories={place}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + _READY_S
        while subprocess.run(["pg_isready", "-q", "-h", place]).returncode and server.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        run([str(PYTHON), "-m", "ceod.library.migrate"], environment={"CEOD_CONFIG": str(host_place("coffee") / "csc/ceod.toml")})
        books.fill(place, "postgres", "library", date.today())
    finally:
        server.send_signal(signal.SIGINT)  # which waits for no client
        server.wait()


def _mailman() -> None:
    environment = {"HOME": str(SRV / "mailman")}
    for name in LISTS:
        run(["/usr/lib/mailman3/bin/mailman", "-C", "/etc/mailman3/mailman.cfg", "create", "--quiet", "--domain", f"{name}@csclub.internal"],
            user="list", environment=environment)


def make_homes() -> None:
    """/users: not in the tar, since made as quickly as unpacked."""
    own("/users/.archive", "root", 0o700)
    for name in PEOPLE:
        own(f"/users/{name}", name, 0o711)
        # Where the 2021 document has its checkout: ./gen_cred.sh works from home.
        Path(f"/users/{name}/gen_cred.sh").symlink_to(CHECKOUT / "gen_cred.sh")
    for number, name in enumerate(people.CLUBS, people.FIRST_CLUB):
        Path(f"/users/{name}").mkdir(mode=0o711)
        os.chown(f"/users/{name}", number, number)
    write("/etc/csc/ca.pem", Path("/srv/hosts/ca/ca.pem").read_text())
