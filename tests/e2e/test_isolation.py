"""Nobody ever becomes somebody else: many people at once, over one process and over the wire."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import gssapi
import requests

from ceo_common.config import Ldap
from ceod.services.ldap_connection import PAGE, bind
from ceod.services.ldap_names import same
from sandbox.club import BASE_DN
from sandbox.people import generated_names
from tests.club.club import CA, Club
from tests.club.tokens import fresh_token, send

PEOPLE = [uid for uid, *_ in generated_names()][:50]
BINDS = 500
REQUESTS = 500
SETTINGS = Ldap("ldaps://phosphoric-acid.csclub.internal", BASE_DN, CA)


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_binds_of_fifty_people_in_eight_threads(club: Club) -> None:
    caches = {uid: club.ccache(uid) for uid in PEOPLE}

    def once(i: int) -> bool:
        uid = PEOPLE[i % len(PEOPLE)]
        connection = bind(SETTINGS, gssapi.Credentials(usage="initiate", store={"ccache": caches[uid]}))
        try:
            return same(connection.who_am_i(), f"uid={uid},ou=People,{BASE_DN}")
        finally:
            connection.close()

    assert once(0)
    before = _descriptors()
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(once, range(BINDS)))
    assert _descriptors() <= before + 2


def test_requests_of_fifty_people_in_eight_threads(club: Club) -> None:
    tokens = [(uid, fresh_token(club, uid)) for uid in PEOPLE for _ in range(REQUESTS // len(PEOPLE))]

    def once(pair: tuple[str, bytes]) -> bool:
        uid, token = pair
        with requests.Session() as session:
            session.verify, session.trust_env = CA, False
            return bool(send(session, "GET", "/whoami", token).json()["uid"] == uid)

    workers = club.both_workers()
    before = {pid: len(os.listdir(f"/proc/{pid}/fd")) for pid in workers}
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(once, tokens))
    assert club.workers() == workers
    for pid in workers:
        assert len(os.listdir(f"/proc/{pid}/fd")) <= before[pid] + 40  # kept connections, never one a request


def test_replayed_at_another_host_and_another_endpoint(club: Club) -> None:
    token = fresh_token(club, "office1")
    with requests.Session() as session:
        session.verify, session.trust_env = CA, False
        assert send(session, "GET", "/whoami", token).status_code == 200
        assert send(session, "GET", "/members/ctdalek", token).status_code == 401
        assert send(session, "GET", "/whoami", token, url="https://mail.csclub.internal:9987/api").status_code == 401


def test_a_search_larger_than_a_page(club: Club) -> None:
    """slapd's size limit counts for a page, not for the search."""
    connection = bind(SETTINGS, gssapi.Credentials(usage="initiate", store={"ccache": club.ccache("office1")}))
    everything = connection.search(BASE_DN, 2, "(objectClass=*)", ["cn"])
    connection.close()
    assert len(everything) > PAGE
    assert {dn.lower() for dn, _ in everything} == {dn.lower() for dn in club.entries("(objectClass=*)")}
