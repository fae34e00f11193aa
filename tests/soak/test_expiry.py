"""Five thousand accounts expire while ceod is killed twice: each is expired once, the directory and the KDC agreeing."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from ceo_common.errors import OutcomeUnknown
from tests.club.club import ADMIN, Club, until
from tests.club.crowd import FEW, PEOPLE, Crowd
from tests.club.report import LINES

_FIRST = 1000  # accounts done when the first kill comes


def _done(club: Club, identifier: str) -> int:
    """How many accounts the journal says are done."""
    (row,) = club.journal("""SELECT intent ->> '$."accounts: done"' FROM steps WHERE "transaction" = ? AND name = 'accounts'""", identifier)
    return int(row[0] or 0)


def _modified(club: Club, since: int) -> Counter[str]:
    """How often slapd was told to modify each entry."""
    return Counter(re.findall(rf'MOD dn="(uid=[^,]+,{PEOPLE})"', club.log(f"{ADMIN}.slapd")[since:]))


def test_expiry_survives_two_kills(club: Club, crowd: Crowd) -> None:
    before, since = crowd.values("shadowExpire"), len(club.log(f"{ADMIN}.slapd"))
    stream = club.client("ctdalek").expire_members(FEW)
    for event in stream:
        if event.get("done", 0) >= _FIRST:
            break
    identifier = event["transaction"]

    def kill() -> int:
        club.service(ADMIN, "kill", "ceod")
        done = _done(club, identifier)
        LINES.append(f"ceod was killed when its journal had {done} accounts and slapd {sum(_modified(club, since).values())}.")
        return done

    first = kill()
    with pytest.raises(OutcomeUnknown):
        list(stream)
    club.service(ADMIN, "start", "ceod")
    until(lambda: _done(club, identifier) >= first + _FIRST, 120, "recovery goes on")
    second = kill()
    assert _FIRST <= first < second < FEW
    club.service(ADMIN, "start", "ceod")
    until(lambda: club.journal("SELECT 1 FROM transactions WHERE id = ? AND state = 'completed'", identifier), 300, "completed")

    told = club.client("ctdalek").transaction(club.settings.hosts.admin, identifier)
    assert told["result"]["expired"] == FEW and told["result"]["failed"] == {}, told["result"]
    agree, modified = crowd.expired(before), _modified(club, since)
    LINES.append(f"{agree} of {FEW} accounts are expired in the directory and the KDC alike; "
                 f"slapd was told {sum(modified.values())} times to modify {len(modified)} entries, {max(modified.values())} at most for one.")
    assert agree == FEW and modified == {member.dn: 1 for member in crowd.lapsed}
