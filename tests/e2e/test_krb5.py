"""The bindings against a real KDC: what they return, what they raise, in threads and a thousand times."""

from __future__ import annotations

import gc
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest

from ceo_common.krb5 import krb5, tickets
from ceo_common.krb5.admin import NEEDS_CHANGE, Admin, AlreadyThere, NotThere
from ceo_common.krb5.errors import Krb5Error
from sandbox.club import PASSWORD, REALM, host_place
from tests.club.club import CHECKOUT, PYTHON, Club


@pytest.fixture
def admin() -> Admin:
    return Admin.with_password("sysadmin/admin", PASSWORD)


def _rss_kib() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4


def test_compiling_in_place_as_the_document_says(tmp_path: Path) -> None:
    """In a copy of the tree: every program that starts meanwhile loads the bindings of the real one."""
    (tmp_path / "ceo_common/krb5").mkdir(parents=True)
    shutil.copy(CHECKOUT / "ceo_common/krb5/krb5_build.py", tmp_path / "ceo_common/krb5")
    done = subprocess.run("cd ceo_common/krb5 && python krb5_build.py", shell=True, cwd=tmp_path, capture_output=True, text=True, check=False,
                          env={"PATH": f"{PYTHON.parent}:/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "ceo_common/krb5").glob("_krb5*.so"))


def test_principals() -> None:
    context = krb5.init_context()
    assert str(krb5.parse_name(context, "ctdalek")) == f"ctdalek@{REALM}"
    assert str(krb5.parse_name(context, "a/b@OTHER")) == "a/b@OTHER"
    assert krb5.get_default_realm(context) == REALM
    with pytest.raises(Krb5Error):
        krb5.parse_name(context, "a@b@c")
    with pytest.raises(ValueError, match="NUL"):
        krb5.parse_name(context, "a\0b")


def test_keytabs(tmp_path: Path) -> None:
    context = krb5.init_context()
    keytab = krb5.kt_resolve(context, f"FILE:{host_place('mail') / 'krb5.keytab'}")
    assert keytab.principals() == [f"ceod/mail.csclub.internal@{REALM}", f"host/mail.csclub.internal@{REALM}"]
    client = krb5.parse_name(context, "ceod/mail.csclub.internal")
    assert krb5.get_init_creds_keytab(context, client, keytab).client == f"ceod/mail.csclub.internal@{REALM}"
    with pytest.raises(Krb5Error):
        krb5.kt_resolve(context, f"FILE:{tmp_path}/none").principals()


def test_an_initial_ticket_and_a_forwarded_one(tmp_path: Path) -> None:
    cache = f"FILE:{tmp_path}/cc"
    ticket = tickets.initial(f"ctdalek@{REALM}", PASSWORD, cache)
    assert tickets.find(cache) == ticket and ticket.forwardable
    for life in (60, 600):
        got, context, received = tickets.receive(tickets.forward(cache, life))
        assert got.client == ticket.client and not got.forwardable
        assert life - 10 <= got.endtime - time.time() <= life
        krb5.cc_destroy(context, received)


def test_there_is_no_ticket(tmp_path: Path) -> None:
    for question in (tickets.find, tickets.forward):
        with pytest.raises(tickets.NoTicket):
            question(f"FILE:{tmp_path}/none")


def test_wrong_passwords() -> None:
    with pytest.raises(tickets.WrongPassword, match="wrong"):
        tickets.initial(f"ctdalek@{REALM}", "bad", "MEMORY:wrong")
    with pytest.raises(tickets.WrongPassword, match="no such account"):
        tickets.initial(f"nobody-here@{REALM}", "bad", "MEMORY:wrong")
    with pytest.raises(tickets.WrongPassword):
        tickets.change_password(f"ctdalek@{REALM}", "bad", "new-one-1")


def test_the_life_of_a_principal(club: Club, admin: Admin) -> None:
    name = club.name()
    admin.create(name, "first-1", needchange=True, transaction="a-transaction")
    with pytest.raises(AlreadyThere):
        admin.create(name, "x")
    entry = admin.get(name)
    assert entry.attributes & NEEDS_CHANGE and entry.tl_data == {1000: b"a-transaction"}
    with pytest.raises(tickets.PasswordExpired):
        tickets.initial(f"{name}@{REALM}", "first-1", "MEMORY:life")
    tickets.change_password(f"{name}@{REALM}", "first-1", "second-1")
    assert tickets.initial(f"{name}@{REALM}", "second-1", "MEMORY:life").client == f"{name}@{REALM}"
    admin.set_password(name, "third-1", needchange=True)
    assert admin.get(name).attributes & NEEDS_CHANGE
    admin.modify(name, clear_attributes=NEEDS_CHANGE, expires=2_000_000_000)
    assert admin.get(name).expires == 2_000_000_000
    assert admin.names(name) == [f"{name}@{REALM}"]
    admin.delete(name)
    for question in (admin.get, admin.delete):
        with pytest.raises(NotThere):
            question(name)


def test_threads_and_a_thousand_times_with_flat_memory(tmp_path: Path, admin: Admin) -> None:
    cache = f"FILE:{tmp_path}/cc"
    tickets.initial(f"ctdalek@{REALM}", PASSWORD, cache)
    failures: list[BaseException] = []

    def once() -> None:
        got, context, received = tickets.receive(tickets.forward(cache))
        assert got.client == f"ctdalek@{REALM}"
        assert [creds.client for creds in received] == [got.client]
        krb5.cc_destroy(context, received)
        with pytest.raises(tickets.WrongPassword):
            tickets.initial(f"nobody-here@{REALM}", "x", "MEMORY:x")

    def work(count: int) -> None:
        try:
            for _ in range(count):
                once()
        except BaseException as error:
            failures.append(error)

    work(100)
    for _ in range(100):
        admin.get("ctdalek")
    gc.collect()
    before = _rss_kib()
    threads = [threading.Thread(target=work, args=(250,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _ in range(1000):
        admin.get("ctdalek")
    gc.collect()
    assert not failures
    assert _rss_kib() - before < 4096


def test_an_expiry_beyond_2038_survives_a_new_password(club: Club, admin: Admin) -> None:
    """krb5_timestamp is 32 bits, read unsigned: to 2106."""
    name = club.name()
    admin.create(name, "first-1")
    admin.modify(name, expires=2_208_988_800)
    admin.set_password(name, "second-1", needchange=True)
    entry = admin.get(name)
    assert entry.expires == 2_208_988_800 and entry.attributes & NEEDS_CHANGE
    admin.delete(name)
