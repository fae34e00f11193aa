"""The state of an account, and what is said of one in another state."""

from __future__ import annotations

import pytest

from ceo_common.errors import CeoError
from ceod.auth import states
from ceod.auth.states import State, refusal, state_of
from ceod.services.entry import DELETED, Person

NOW = 20000.5 * 86400


def _person(kind: str, *, expires: str = "") -> Person:
    attributes = {"uid": ["x"], "objectClass": ["top", "posixAccount", kind]}
    return Person("uid=x", "x", attributes | ({"shadowExpire": [expires]} if expires else {}))


@pytest.mark.parametrize(
    ("expires", "member", "club"),
    [
        ("", State.ACTIVE, State.CLUB),
        ("20001", State.ACTIVE, State.CLUB),
        ("20000", State.EXPIRED, State.EXPIRED_CLUB),
        ("2", State.EXPIRED, State.EXPIRED_CLUB),
        ("0", State.ACTIVE, State.CLUB),
        ("-1", State.ACTIVE, State.CLUB),
        (DELETED, State.DELETED, State.DELETED),
    ],
)
def test_each_has_one_state(expires: str, member: State, club: State) -> None:
    assert state_of(_person("member", expires=expires), NOW) is member
    assert state_of(_person("club", expires=expires), NOW) is club
    assert state_of(_person("Club", expires=expires), NOW) is club


def test_none_is_missing() -> None:
    assert state_of(None, NOW) is State.MISSING


def test_what_is_for_people_takes_no_club_in_any_state() -> None:
    clubs = {State.CLUB, State.EXPIRED_CLUB}
    assert not clubs & (states.MEMBERS | states.ACTIVE | states.DELETED | states.NEW)
    assert clubs <= states.KEPT
    assert clubs & states.OPEN == {State.CLUB}


@pytest.mark.parametrize(
    ("state", "wanted", "code", "words"),
    [
        (State.CLUB, states.MEMBERS, "invalid", "x is a club"),
        (State.EXPIRED_CLUB, states.MEMBERS, "invalid", "x is a club"),
        (State.EXPIRED_CLUB, states.OPEN, "wrong_state", "takes its shadowExpire out"),
        (State.EXPIRED_CLUB, states.DELETED, "invalid", "x is a club"),
        (State.EXPIRED, states.OPEN, "wrong_state", "ceo members renew x"),
        (State.ACTIVE, states.DELETED, "wrong_state", "x is not deleted"),
    ],
)
def test_each_is_told_what_to_do(
    state: State, wanted: frozenset[State], code: str, words: str
) -> None:
    error: CeoError = refusal("x", state, wanted)
    assert error.code == code
    assert words in error.message
