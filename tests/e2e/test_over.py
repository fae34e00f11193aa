"""A reset of the password for somebody whose membership is over says so, before it asks and afterwards."""

from __future__ import annotations

import time
from typing import Any

import pytest

from sandbox.club import BASE_DN
from tests.club.club import Club
from tests.club.terminal import Open


def _expire(club: Club, uid: str) -> None:
    day = int(time.time() // 86400) - 1
    change = f"dn: uid={uid},ou=People,{BASE_DN}\nchangetype: modify\nadd: shadowExpire\nshadowExpire: {day}\n"
    done = club.run_as("ctdalek", "ldapmodify", "-Q", text=change)
    assert done.returncode == 0, done


@pytest.mark.parametrize(
    ("terms", "expired", "warning"),
    [
        (["f2026"], False, ""),
        (["s2020", "f2019"], False, "the membership of {} ended with s2020"),
        (["f2026"], True, "{} is expired"),
        (["s2020"], True, "{} is expired"),
    ],
)
def test_a_reset_for_who_lapsed_says_so(
    club: Club, terminal: Open, terms: list[str], expired: bool, warning: str
) -> None:
    uid = club.add(terms=terms)["result"]["uid"]
    if expired:
        _expire(club, uid)
    rehearsing = club.client("ctdalek")
    rehearsing.rehearsing = True
    *_, last = rehearsing.reset_password(uid)
    plan: dict[str, Any] = dict(last)
    warnings = plan["warnings"]
    assert len(warnings) == bool(warning)
    assert warning.format(uid) in "".join(warnings)
    window = terminal("ctdalek", "ceo", "members", "pwreset", uid)
    window.see(warning.format(uid) or "Reset", f"Reset the password of {uid}?")
    window.type("n", "Enter")
    result = club.done(club.client("ctdalek").reset_password(uid))
    assert result["warnings"] == warnings
