"""The Idempotency-Key of changes that are no transactions: the same again is done once."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from ceo_common.client import Client
from ceo_common.errors import Exists, KeyReused, NotFound, WrongState
from sandbox.club import DOMAIN
from tests.club.club import Club
from tests.e2e.test_permissions import _as_host


def _keyed(club: Club, who: str = "office1") -> Client:
    client = club.client(who)
    client.key = str(uuid.uuid4())
    return client


def test_a_book_without_an_isbn_is_added_once(club: Club) -> None:
    client = _keyed(club)
    title = f"Book {club.name()}"
    book = {"title": title, "authors": ["Ann Author"]}
    first = client.add_book(book)
    assert client.add_book(book) == first
    assert [row["title"] for row in club.client("regular1").books(q=title)["books"]].count(title) == 1


def test_another_book_under_the_same_key_is_refused(club: Club) -> None:
    client = _keyed(club)
    client.add_book({"title": f"Book {club.name()}", "authors": ["Ann Author"]})
    with pytest.raises(KeyReused):
        client.add_book({"title": f"Book {club.name()}", "authors": ["Ann Author"]})


def test_copies_and_loans_are_counted_once(club: Club) -> None:
    office, uid = club.client("office1"), club.add()["result"]["uid"]
    book = office.add_book({"title": f"Book {club.name()}", "authors": ["Ann Author"]})["book"]
    asks: list[Callable[[Client], Any]] = [
        lambda client: client.add_copies(book, 2),
        lambda client: client.lend(book, uid),
        lambda client: client.renew_loan(book, uid),
        lambda client: client.give_back(book, uid),
    ]
    for ask in asks:
        client = _keyed(club)
        assert ask(client) == ask(client)
    assert office.book(book)["copies"] == 3
    assert office.loans_of(uid) == []


def test_a_list_is_joined_and_left_once(club: Club) -> None:
    uid = club.add()["result"]["uid"]
    client = _keyed(club)
    assert client.subscribe("events", uid) == client.subscribe("events", uid)
    assert club.on_list(uid, "events")
    with pytest.raises(Exists):
        _keyed(club).subscribe("events", uid)
    client = _keyed(club)
    assert client.unsubscribe("events", uid) == client.unsubscribe("events", uid)
    with pytest.raises(NotFound):
        _keyed(club).unsubscribe("events", uid)


def test_what_was_refused_is_tried_again_with_the_same_key(club: Club) -> None:
    office, client = club.client("office1"), _keyed(club)
    book = office.add_book({"title": f"Book {club.name()}", "authors": ["Ann Author"]})["book"]
    reader, other = (club.add()["result"]["uid"] for _ in range(2))
    office.lend(book, other)
    with pytest.raises(WrongState):
        client.lend(book, reader)
    office.give_back(book, other)
    assert client.lend(book, reader)["uid"] == reader
    office.give_back(book, reader)


def test_a_dry_run_uses_no_key_up(club: Club) -> None:
    client = _keyed(club)
    book = {"title": f"Book {club.name()}", "authors": ["Ann Author"]}
    client.rehearsing = True
    client.add_book(book)
    client.rehearsing = False
    assert client.add_book(book)["title"] == book["title"]


def test_no_digest_of_a_password_is_kept(club: Club) -> None:
    """Whoever reads the journal could guess the password by it; so the same key is a new request."""
    uid = club.add()["result"]["uid"]
    admin = _as_host(club, "phosphoric-acid")
    admin.key = str(uuid.uuid4())
    for password in ("first-password-1", "second-password-2"):
        passwords = {"mysql": password, "postgresql": password}
        assert admin.try_logins(uid, passwords)["mysql"] is False
    database = _as_host(club, "coffee")
    database.key = str(uuid.uuid4())
    info = {"kind": "mysql", "host": f"coffee.{DOMAIN}", "database": uid, "username": uid}
    for password in ("first-password-1", "second-password-2"):
        database.write_database_info(uid, info | {"password": password})


@pytest.mark.parametrize("query", ["", "?dry_run"])
def test_a_key_that_is_none_is_refused_also_in_a_dry_run(club: Club, query: str) -> None:
    url = "https://coffee.csclub.internal:9987/api"
    header = "Idempotency-Key: " + "x" * 65
    words = ("-X", "POST", "-H", header)
    status, body = club.curl("ctdalek", f"/library/overdue/remind{query}", *words, url=url)
    assert status == 400, body
    assert "has to be a UUID" in body
