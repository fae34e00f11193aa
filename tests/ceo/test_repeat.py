"""The command that repeats a change: a shell reads it as it was typed, with the key once."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceo.cli.context import Context
from ceo.cli.repeat import repeat_command
from ceo.cli.write import How, repeatable
from ceo_common.errors import BackendDown, CeoError, OutcomeUnknown

_KEY = "00000000-0000-4000-8000-000000000001"


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"])).filter(lambda word: word != "--" and not word.startswith("--key"))))
def test_a_shell_reads_the_same_words(words: list[str]) -> None:
    assert shlex.split(repeat_command(words, _KEY)) == ["ceo", *words, "--key", _KEY]


def test_a_key_that_was_given_is_there_once() -> None:
    for words in (["x", "--key", "old", "y"], ["x", "--key=old", "y"]):
        assert shlex.split(repeat_command(words, _KEY)) == ["ceo", "x", "y", "--key", _KEY]


def test_the_key_stands_before_what_is_no_option() -> None:
    assert shlex.split(repeat_command(["x", "--", "--key", "-y"], _KEY)) == ["ceo", "x", "--key", _KEY, "--", "--key", "-y"]


def _how(*, as_json: bool = False, dry_run: bool = False) -> How:
    return How(as_json, dry_run, yes=False, quiet=False, key=_KEY, words=["members", "renew", "jdoe"])


@pytest.mark.parametrize("error", [
    OutcomeUnknown("the connection ended", transaction="t1"),
    BackendDown("PostgreSQL stopped answering while it wrote", backend="postgresql", unknown=True),
])
def test_an_unknown_outcome_tells_the_command(error: CeoError) -> None:
    command = f"ceo members renew jdoe --key {_KEY}"
    with pytest.raises(OutcomeUnknown) as caught, repeatable(Context(), _how()):
        raise error
    assert caught.value.message.splitlines()[-1].endswith(f"run: {command}")
    with pytest.raises(OutcomeUnknown) as caught, repeatable(Context(), _how(as_json=True)):
        raise error
    assert caught.value.message == error.message
    assert (caught.value.more["key"], caught.value.more["command"]) == (_KEY, command)
    assert caught.value.exit_status == 74


def test_a_refusal_stays_what_it_is() -> None:
    with pytest.raises(BackendDown), repeatable(Context(), _how()):
        raise BackendDown("slapd does not answer", backend="ldap")


def test_who_interrupts_before_anything_was_sent_is_interrupted() -> None:
    with pytest.raises(KeyboardInterrupt), repeatable(Context(), _how()):
        raise KeyboardInterrupt
