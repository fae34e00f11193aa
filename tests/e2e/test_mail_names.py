"""A name that mail knows is no username, no club and no group."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ceo_common.errors import Exists, Forbidden, Invalid, NotFound
from sandbox.club import DOMAIN
from tests.club.club import Club, by_both_workers
from tests.e2e.test_mailman import _rest
from tests.e2e.test_permissions import _as_host

MADE_BY_HAND, ALIAS, CONTINUED = "tchess", "talias", "talias2"


@pytest.fixture(scope="module")
def _known_to_mail(club: Club) -> Iterator[None]:
    """A list made in Mailman by hand, and aliases of the mail server."""
    aliases = Path("/etc/aliases")
    before = aliases.read_text() if aliases.exists() else None
    aliases.write_text(
        f'{before or ""}# tcomment: x\n{ALIAS.title()}: root,\n tnext: regular1\n"{CONTINUED}" :root\n'
    )
    _rest(club, "lists", "-d", f"fqdn_listname={MADE_BY_HAND}@{DOMAIN}")
    checks, row = club.client("office1").check_members, club.member(MADE_BY_HAND)
    by_both_workers(lambda: bool(checks([row])["problems"]), "the list known to ceod")
    yield
    _rest(club, f"lists/{MADE_BY_HAND}.{DOMAIN}", "-X", "DELETE")
    if before is None:
        aliases.unlink()
    else:
        aliases.write_text(before)


NAMES = [
    ("csc-general", "is a mailing list of the club"),
    ("events", "is a mailing list of the club"),
    (MADE_BY_HAND, "is a mailing list of the club"),
    ("president", "is a position of the club"),
    ("vice-president", "is a position of the club"),
    ("offsck", "is a position of the club"),
    (ALIAS, "is an alias of the mail server"),
    (CONTINUED, "is an alias of the mail server"),
]


@pytest.mark.usefixtures("_known_to_mail")
@pytest.mark.parametrize(("name", "reason"), NAMES)
def test_a_name_that_mail_knows_is_refused(club: Club, name: str, reason: str) -> None:
    """In earnest, too, and by a dry run; the sign-up of many names the row."""
    bodies = {
        "/members": club.member(name),
        "/clubs": {"uid": name, "cn": "Test Club"},
        "/groups": {"cn": name},
    }
    for path, body in bodies.items():
        for query in ("?dry_run", ""):
            status, text = club.curl(
                "ctdalek", path + query, "--delegation", "always", "-d", json.dumps(body)
            )
            assert status == 409, (path, text)
            assert f"{name} {reason}" in json.loads(text)["error"], (path, text)
    rows = [club.member(), club.member(name)]
    checked = club.client("office1").check_members(rows)
    assert [problem["field"] for problem in checked["problems"]] == ["members.1.uid"]
    assert reason in checked["problems"][0]["message"]
    with pytest.raises(NotFound):
        club.client("office1").member(name)


@pytest.mark.usefixtures("_known_to_mail")
def test_a_list_that_was_made_by_hand_gets_nobodys_mail(club: Club) -> None:
    office, uid = club.client("office1"), club.add()["result"]["uid"]
    address = f"{MADE_BY_HAND}@{DOMAIN}"
    reason = f"{address} is a mailing list of the club"
    with pytest.raises(Invalid, match=reason):
        list(office.modify_member(uid, {"forwarding_addresses": [address]}))
    with pytest.raises(Invalid, match=reason):
        list(office.add_member(club.member(forwarding_addresses=[address])))
    checked = office.check_members([club.member(forwarding_addresses=[address])])
    assert reason in checked["problems"][0]["message"]
    forward = Path(f"/users/{uid}/.forward")
    forward.write_text(f"{address}\n")
    os.chown(forward, forward.parent.stat().st_uid, -1)
    (finding,) = [row for row in office.examine(uid) if row["check"] == "forwarding"]
    assert finding["state"] == "problem"
    assert reason in finding["found"]


@pytest.mark.usefixtures("_known_to_mail")
@pytest.mark.parametrize("name", ["tcomment", "tnext"])
def test_what_is_no_alias_is_free(club: Club, name: str) -> None:
    """A comment, and a line that goes on with the one before."""
    status, text = club.curl(
        "office1", "/members?dry_run", "--delegation", "always", "-d", json.dumps(club.member(name))
    )
    assert status == 200, text


def test_each_suffix_of_a_list_is_reserved(club: Club) -> None:
    """Mailman delivers LIST-SUFFIX to itself."""
    suffixes = "admin bounces confirm join leave owner request subscribe unsubscribe".split()
    rows = [club.member(f"csc-general-{suffix}") for suffix in suffixes]
    checked = club.client("office1").check_members(rows)
    assert len(checked["problems"]) == len(suffixes)
    assert all("is a reserved name" in problem["message"] for problem in checked["problems"])


def test_a_mail_host_that_is_away_keeps_nobody_from_being_signed_up(club: Club) -> None:
    """The result says that the name could not be asked for; the configured lists are refused still."""
    club.service("mail", "stop", "ceod")
    try:
        by_both_workers(lambda: bool(club.warnings_of_an_add()), "the mail host asked anew")
        last = club.add()
        syscom = club.client("ctdalek")
        group = club.done(syscom.add_group(club.name()))
        new_club = club.done(syscom.add_club({"uid": club.name(), "cn": "Test Club"}))
        changed = club.done(
            syscom.modify_member(
                last["result"]["uid"], {"forwarding_addresses": [f"regular1@{DOMAIN}"]}
            )
        )
        with pytest.raises(Exists, match="csc-general is a mailing list"):
            list(club.client("office1").add_member(club.member("csc-general")))
    finally:
        club.service("mail", "start", "ceod")
        club.settled()
    (warning,) = last["result"]["warnings"]
    (unasked,) = changed["warnings"]
    assert "whether mail is forwarded to a mailing list could not be asked" in unasked
    assert [group["warnings"], new_club["warnings"]] == [[warning], [warning]]
    assert "whether the name is a mailing list or an alias" in warning
    assert "could not be asked" in warning


def test_mail_says_which_names_it_knows_to_staff_and_hosts(club: Club) -> None:
    for client in (club.client("office1"), _as_host(club, "phosphoric-acid")):
        assert {"csc-general", "events"} <= set(client.mail_names()["lists"])
    with pytest.raises(Forbidden):
        club.client("regular1").mail_names()
