"""The doctor's judgement of clocks and certificates, where no server need be wrong for it."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from ceo.doctor import backend, certificate, clock, finding, verdict

NOW = 1_800_000_000.0


@pytest.mark.parametrize(("skew", "state", "words"), [
    (0, "ok", "as ours"), (2, "ok", "as ours"), (-100, "ok", "100 s behind ours"), (239, "ok", "239 s ahead of ours"), (241, "problem", "five minutes"),
    (-86400, "problem", "86400 s behind ours"),
])
def test_clocks(skew: int, state: str, words: str) -> None:
    found = clock("mail", "mail.csclub.internal", formatdate(NOW + skew, usegmt=True), NOW)
    assert found["state"] == state and words in found["found"] and bool(found["mend"]) == (state == "problem")


@pytest.mark.parametrize("date", ["", "yesterday"])
def test_an_answer_without_a_date(date: str) -> None:
    assert clock("mail", "mail.csclub.internal", date, NOW)["state"] == "unknown"


@pytest.mark.parametrize(("days", "state"), [(400, "ok"), (15, "ok"), (13, "problem"), (0.5, "problem")])
def test_certificates(days: float, state: str) -> None:
    found = certificate("mail", "mail.csclub.internal", NOW + days * 86400, NOW)
    assert found["state"] == state and f"{int(days)} days" in found["found"]


def test_the_worst_counts() -> None:
    assert verdict([]) == "ok"
    for states, worst in (("ok ok", "ok"), ("ok unknown", "unknown"), ("unknown problem ok", "problem")):
        assert verdict(finding("x", state, "", "") for state in states.split()) == worst


@pytest.mark.parametrize(
    ("name", "advice"), [("slapd", "is slapd running"), ("journal", "docs/journal.md")]
)
def test_what_is_down_behind_a_host(name: str, advice: str) -> None:
    row = backend("mail", "mail.csclub.internal", name, {"up": False, "error": "it is away"})
    assert row["state"] == "problem"
    assert row["found"] == "it is away"
    assert advice in row["mend"]
