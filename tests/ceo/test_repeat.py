"""The command that repeats a change: a shell reads it as it was typed, with the key once."""

from __future__ import annotations

import shlex
import uuid

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ceo.cli.context import Context
from ceo.cli.repeat import repeat_command, with_key
from ceo.cli.write import How, repeatable
from ceo_common.errors import BackendDown, CeoError, OutcomeUnknown

_KEY = "00000000-0000-4000-8000-000000000001"


_WORDS = st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"])))


@given(_WORDS)
def test_a_shell_reads_the_same_words(words: list[str]) -> None:
    assert shlex.split(repeat_command(words)) == ["ceo", *words]


@given(st.lists(st.sampled_from(["--", "--key", "--cn", "x", ""]), max_size=5))
def test_click_reads_the_key_and_the_same_values(values: list[str]) -> None:
    """Also where a value looks like an option."""
    seen: list[tuple[tuple[str, ...], str | None]] = []

    @click.command()
    @click.option("--cn", multiple=True)
    @click.option("--key")
    def command(cn: tuple[str, ...], key: str | None) -> None:
        seen.append((cn, key))

    words = [word for value in values for word in ("--cn", value)]
    command.main(with_key(["members", "add", *words], 2, _KEY)[2:], standalone_mode=False)
    assert seen == [(tuple(values), _KEY)]


def test_the_exact_command_is_confirmed_and_names_its_key_first() -> None:
    how = _how()
    how.exact("members add", "jdoe", "--cn", "--")
    assert how.words == ["members", "add", "--key", _KEY, "--yes", "jdoe", "--cn", "--"]


@pytest.mark.parametrize("words", [
    "members add jdoe --cn -- --program CS",
    "members add jdoe --cn --key --program CS",
    "doctor jdoe --fix",
    "api DELETE /members/jdoe",
])
def test_the_key_follows_the_name_of_the_command(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = words.split()
    depth = 1 if typed[0] in ("doctor", "api") else 2
    monkeypatch.setattr("sys.argv", ["ceo", *typed])
    with click.Context(click.Command(typed[0]), info_name=" ".join(["ceo", *typed[:depth]])):
        how = How.of_command(None, as_json=False, dry_run=False, yes=False, quiet=False)
        assert how.words == [*typed[:depth], "--key", how.key, *typed[depth:]]
        given_key = How.of_command(uuid.UUID(_KEY), as_json=False, dry_run=False, yes=False, quiet=False)
    assert given_key.words == typed  # a key that was given is among them
    assert given_key.key == _KEY


def _how(*, as_json: bool = False, dry_run: bool = False) -> How:
    words = ["members", "renew", "--key", _KEY, "jdoe"]
    return How(as_json, dry_run, yes=False, quiet=False, key=_KEY, has_given_key=False, words=words)


@pytest.mark.parametrize("error", [
    OutcomeUnknown("the connection ended", transaction="t1"),
    BackendDown("PostgreSQL stopped answering while it wrote", backend="postgresql", unknown=True),
])
def test_an_unknown_outcome_tells_the_command(error: CeoError) -> None:
    command = f"ceo members renew --key {_KEY} jdoe"
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
