"""The state of an account: of the one that asks for a change, and of the one that is changed."""

from __future__ import annotations

import time
from enum import Enum
from typing import Any

from ceo_common.errors import CeoError, Deleted, InactiveCaller, Invalid, WrongState
from ceo_common.model.names import username_problem
from ceod.auth.caller import Caller
from ceod.services.directory import Directory
from ceod.services.entry import Person
from ceod.services.missing_names import no_account


class State(Enum):
    """What an account is; the value is how the API's description names it."""

    ACTIVE = "active"
    EXPIRED = "expired"
    DELETED = "deleted"
    CLUB = "a club's"
    EXPIRED_CLUB = "an expired club's"
    MISSING = "not there"


# What routes declare.
NO_ACCOUNT = frozenset[State]()
NEW = frozenset({State.MISSING})
ACTIVE = frozenset({State.ACTIVE})
MEMBERS = frozenset({State.ACTIVE, State.EXPIRED})
OPEN = frozenset({State.ACTIVE, State.CLUB})
KEPT = frozenset({State.ACTIVE, State.EXPIRED, State.CLUB, State.EXPIRED_CLUB})
DELETED = frozenset({State.DELETED})
THERE = frozenset(State) - {State.MISSING}
EVERY = frozenset(State)


def state_of(person: Person | None, now: float) -> State:
    """The state of an account, None being one that is not there.

    An expired club is no expired member: nobody renews it, and nobody deletes it.  A deleted one
    is deleted like any other account, so that it can be restored.
    """
    if person is None:
        return State.MISSING
    if person.is_deleted:
        return State.DELETED
    is_expired = person.is_expired(now)
    if person.is_club:
        return State.EXPIRED_CLUB if is_expired else State.CLUB
    return State.EXPIRED if is_expired else State.ACTIVE


def look(directory: Directory, uid: str) -> State:
    """The state of an account as the directory has it now.  Raises BackendDown."""
    person = None if username_problem(uid) else directory.person(uid)
    return state_of(person, time.time())


def refusal(uid: str, state: State, wanted: frozenset[State]) -> CeoError:
    """Why an account in this state is not acted on, and what to do."""
    more: dict[str, Any] = {"uid": uid, "state": state.name.lower()}
    if state is State.DELETED:
        message = f"{uid} was deleted; to bring it back: ceo members restore {uid}"
        return Deleted(message, **more)
    if state is State.EXPIRED_CLUB and State.CLUB in wanted:
        message = (
            f"the club {uid} is expired; to open it again, the systems committee takes its"
            " shadowExpire out of the directory"
        )
        return WrongState(message, **more)
    if state in (State.CLUB, State.EXPIRED_CLUB):
        message = f"{uid} is a club: this is for the accounts of people"
        return Invalid(message, problems=[{"field": "uid", "message": message}], **more)
    if wanted == DELETED:
        return WrongState(f"{uid} is not deleted", **more)
    return WrongState(f"{uid} is expired; renew it first: ceo members renew {uid}", **more)


def require_state(directory: Directory, uid: str, wanted: frozenset[State]) -> None:
    """Raises what refusal() says unless the account's state is among `wanted`; BackendDown."""
    if wanted == EVERY:
        return
    state = look(directory, uid)
    if state in wanted:
        return
    if state is State.MISSING:
        raise no_account(directory, uid)
    raise refusal(uid, state, wanted)


_INACTIVE = {
    State.EXPIRED: "Your account {uid} is expired: you may look things up and change nothing."
    " Renew your membership at the office.",
    State.EXPIRED_CLUB: "The club {uid} is expired: it may look things up and change nothing."
    " Ask the systems committee.",
    State.DELETED: "Your account {uid} was deleted: you may look things up and change nothing."
    " Ask the systems committee to restore it.",
    State.MISSING: "You have a ticket as {uid}, and there is no account {uid}: you may look things"
    " up and change nothing. Ask the systems committee.",
}


def require_active(caller: Caller, directory: Directory) -> None:
    """Of a person who asks for a change, the account has to be open; our hosts have none.

    A ticket outlives its account by hours.  Raises InactiveCaller, BackendDown.
    """
    if caller.uid is None:
        return
    state = look(directory, caller.uid)
    if message := _INACTIVE.get(state):
        raise InactiveCaller(message.format(uid=caller.uid), state=state.name.lower())
