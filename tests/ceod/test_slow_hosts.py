"""A host that does not answer keeps nobody waiting twice."""

from __future__ import annotations

import pytest

from ceo_common.errors import BackendDown, NotFound, Unreachable
from ceod.services.slow_hosts import AWAY_S, WAITED_S, SlowHosts


class _Host:
    """One that answers or refuses after some seconds of a clock that it moves itself."""

    def __init__(self) -> None:
        self.now = 0.0
        self.seconds = 0.0
        self.asked = 0
        self.error: Exception | None = None

    def answer(self) -> str:
        self.asked += 1
        self.now += self.seconds
        if self.error:
            raise self.error
        return "answer"


@pytest.fixture
def host() -> _Host:
    return _Host()


@pytest.fixture
def hosts(host: _Host) -> SlowHosts:
    return SlowHosts(clock=lambda: host.now)


@pytest.mark.parametrize("error", [Unreachable("no answer"), BackendDown("no answer")])
def test_a_slow_host_is_asked_again_after_a_while(
    host: _Host, hosts: SlowHosts, error: Exception
) -> None:
    host.error, host.seconds = error, WAITED_S + 1
    with pytest.raises(type(error)):
        hosts.ask("mail", host.answer)
    with pytest.raises(BackendDown, match="mail did not answer just before"):
        hosts.ask("mail", host.answer)
    assert host.asked == 1
    with pytest.raises(type(error)):
        hosts.ask("database", host.answer)
    host.error = None
    host.now += AWAY_S + 1
    assert hosts.ask("mail", host.answer) == "answer"


def test_a_host_that_refuses_at_once_is_asked_again(host: _Host, hosts: SlowHosts) -> None:
    host.error = Unreachable("connection refused")
    for _ in range(2):
        with pytest.raises(Unreachable):
            hosts.ask("mail", host.answer)
    assert host.asked == 2


def test_a_slow_answer_is_an_answer(host: _Host, hosts: SlowHosts) -> None:
    host.seconds = WAITED_S + 1
    assert [hosts.ask("mail", host.answer) for _ in range(2)] == ["answer", "answer"]
    host.error = NotFound("no such account")
    for _ in range(2):
        with pytest.raises(NotFound):
            hosts.ask("mail", host.answer)
