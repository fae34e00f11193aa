"""Mail is forwarded to an address elsewhere: not round and round, and not over what somebody wrote by hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ceo_common.errors import Invalid, WouldLose
from tests.club.club import Club
from tests.club.terminal import Open

VACATION = '\\{uid}, "|/usr/bin/vacation {uid}"\n'


def _change(club: Club, uid: str, *addresses: str, **more: bool) -> None:
    club.done(club.client("office1").modify_member(uid, {"forwarding_addresses": list(addresses), **more}))


def _forward(uid: str) -> Path:
    return Path("/users") / uid / ".forward"


def _write(uid: str, text: str) -> None:
    _forward(uid).write_text(text)
    os.chown(_forward(uid), _forward(uid).parent.stat().st_uid, -1)


@pytest.mark.parametrize(
    "pattern",
    [
        "{}@csclub.internal",
        "{}@CSClub.Internal",
        "{}+x@csclub.internal",
        "{}@phosphoric-acid.csclub.internal",
        "{}@mail.csclub.internal",
        "{}%csclub.internal@csclub.internal",
    ],
)
def test_an_address_that_leads_back_is_refused(club: Club, pattern: str) -> None:
    """When it is changed, at sign-up, among many; in capitals too."""
    uid, new = club.add()["result"]["uid"], club.name()
    for address in (pattern.format(uid), pattern.format(uid.upper())):
        with pytest.raises(Invalid, match="round and round"):
            _change(club, uid, address)
        done = club.run_as("office1", "ceo", "members", "modify", uid, "--forward", address)
        assert done.returncode == 65 and "round and round" in done.stderr, done
    member = club.member(new, forwarding_addresses=["x@example.org", pattern.format(new)])
    with pytest.raises(Invalid) as caught:
        list(club.client("office1").add_member(member))
    assert [problem["field"] for problem in caught.value.problems] == ["forwarding_addresses.1"]
    checked = club.client("office1").check_members([member])
    assert [row["field"] for row in checked["problems"]] == ["members.0.forwarding_addresses.1"]
    assert not _forward(uid).exists()


def test_two_who_forward_to_each_other_are_refused(club: Club) -> None:
    """Also three in a ring, and two who are signed up together; the doctor finds what came otherwise."""
    one, two, three = (club.add()["result"]["uid"] for _ in range(3))
    _change(club, one, f"{two}@csclub.internal")
    _change(club, two, f"{three}@csclub.internal", "x@example.org")
    for uid, target in ((two, one), (three, one), (three, two)):
        with pytest.raises(Invalid, match="is forwarded back to"):
            _change(club, uid, f"{target}@csclub.internal")
    _change(club, three, "y@example.org")
    _write(three, f"{one}\n")
    findings = club.client("office1").examine(one)
    (forwarding,) = [row for row in findings if row["check"] == "forwarding"]
    assert forwarding["state"] == "problem" and "round and round" in forwarding["found"]
    new = club.name(), club.name()
    rows = [
        club.member(uid, forwarding_addresses=[f"{other}@csclub.internal"])
        for uid, other in (new, reversed(new))
    ]
    assert len(club.client("office1").check_members(rows)["problems"]) == 2


def test_a_list_of_the_club_is_no_address_to_forward_to(club: Club) -> None:
    uid = club.add()["result"]["uid"]
    for address in ("csc-general@csclub.internal", "Exec+x@csclub.internal"):
        with pytest.raises(Invalid, match="is a mailing list of the club"):
            _change(club, uid, address)


@pytest.mark.parametrize("address", ["o'brien@example.org", "a#b@example.org", "o'brien@csclub.internal.example.org"])
def test_an_address_of_real_people_is_written_as_it_is(club: Club, address: str) -> None:
    uid = club.add(forwarding_addresses=[address])["result"]["uid"]
    assert _forward(uid).read_text() == f"{address}\n"


def test_an_option_is_no_address(club: Club) -> None:
    done = club.run_as("office1", "ceo", "members", "modify", "regular1", "--forward=-f@example.org")
    assert done.returncode == 65 and "does not begin with -" in done.stderr, done


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        (VACATION, [VACATION.strip()]),
        ("# keep\na@example.org\n", ["# keep"]),
        ('"|exec /usr/bin/procmail"\n', ['"|exec /usr/bin/procmail"']),
        ("a@example.org\n/users/x/mbox\n:include:/x\n", ["/users/x/mbox", ":include:/x"]),
        ("\\me\n", ["\\me"]),
    ],
)
def test_what_somebody_wrote_by_hand_is_not_lost_unasked(
    club: Club, text: str, lost: list[str]
) -> None:
    uid = club.add()["result"]["uid"]
    text, lost = text.format(uid=uid), [line.format(uid=uid) for line in lost]
    _write(uid, text)
    rehearsing = club.client("office1")
    rehearsing.rehearsing = True
    for client in (club.client("office1"), rehearsing):
        for addresses in (["b@example.org"], []):
            with pytest.raises(WouldLose) as caught:
                list(client.modify_member(uid, {"forwarding_addresses": addresses}))
            assert caught.value.more["lost"] == lost
    assert _forward(uid).read_text() == text
    words = ["ceo", "members", "modify", uid, "--forward", "b@example.org"]
    done = club.run_as("office1", *words)
    assert done.returncode == 73 and lost[0] in done.stderr and "--replace" in done.stderr, done
    done = club.run_as("office1", *words, "--replace", "--yes")
    assert done.returncode == 0, done
    assert _forward(uid).read_text() == "b@example.org\n"


def test_plain_addresses_are_replaced_without_asking(club: Club) -> None:
    uid = club.add()["result"]["uid"]
    _write(uid, "a@example.org, c@example.org\n\n  d@example.org\n")
    _change(club, uid, "b@example.org")
    assert _forward(uid).read_text() == "b@example.org\n"


def test_replace_alone_changes_nothing(club: Club) -> None:
    with pytest.raises(Invalid, match="problems"):
        list(club.client("office1").modify_member("regular1", {"replace": True}))


def test_another_persons_forwarding_is_confirmed(club: Club, terminal: Open) -> None:
    """The question shows the old and the new value; without a terminal --yes answers it."""
    uid = club.add()["result"]["uid"]
    _change(club, uid, "old@example.org")
    words = ["ceo", "members", "modify", uid, "--forward", "new@example.org"]
    done = club.run_as("office1", *words)
    assert done.returncode == 2, done
    assert "missing: --yes" in done.stderr
    assert "old@example.org" in done.stderr
    window = terminal("office1", *words)
    window.see("old@example.org", "new@example.org", f"Change this for {uid}?")
    window.type("n", "Enter")
    window.see("you answered no; nothing was changed")
    assert window.ended() == 1
    assert _forward(uid).read_text() == "old@example.org\n"
    assert club.run_as("office1", *words, "--yes").returncode == 0
    assert _forward(uid).read_text() == "new@example.org\n"


def test_ones_own_account_is_changed_without_a_question(club: Club) -> None:
    before = club.client("regular1").member("regular1")["login_shell"]
    words = ["ceo", "members", "modify", "regular1", "--shell"]
    try:
        assert club.run_as("regular1", *words, "/bin/sh").returncode == 0
        assert club.client("regular1").member("regular1")["login_shell"] == "/bin/sh"
    finally:
        assert club.run_as("regular1", *words, before).returncode == 0
