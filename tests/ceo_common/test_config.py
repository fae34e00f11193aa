from __future__ import annotations

from pathlib import Path

import pytest

from ceo_common.config import ConfigError, load_client, load_daemon

ROOT = Path(__file__).resolve().parents[2]


def _write(tmp_path: Path, text: str, mode: int = 0o600) -> str:
    path = tmp_path / "x.toml"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_the_examples_load(tmp_path: Path) -> None:
    daemon = load_daemon(_write(tmp_path, (ROOT / "etc/ceod.toml").read_text()))
    assert daemon.is_admin and daemon.smtp
    assert load_client(str(ROOT / "etc/ceo.toml")).port == 9987


def test_every_problem_with_its_line(tmp_path: Path) -> None:
    path = _write(tmp_path, 'realm = 5\nwrong = 1\n[hosts]\nadmin = "a"\nmail = []\ndatabase = ""\nlibrary = "l"\n')
    with pytest.raises(ConfigError) as caught:
        load_client(path)
    said = str(caught.value).splitlines()
    assert f"{path}:1: realm has to be a text" in said
    assert any(line.startswith(f"{path}:2: unknown key 'wrong'") for line in said)
    assert f"{path}:5: hosts.mail has to be a text" in said
    assert f"{path}:6: hosts.database is empty" in said
    assert any("domain is missing" in line for line in said)


def test_a_daemon_file_that_everybody_reads_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="readable by everybody"):
        load_daemon(_write(tmp_path, (ROOT / "etc/ceod.toml").read_text(), 0o644))


def test_roles_that_do_not_fit(tmp_path: Path) -> None:
    text = (ROOT / "etc/ceod.toml").read_text().replace('roles = ["admin"]', 'roles = ["admin", "mail", "cook"]')
    with pytest.raises(ConfigError) as caught:
        load_daemon(_write(tmp_path, text))
    assert "'cook' is not a role" in str(caught.value)
    assert "hosts.mail is" in str(caught.value)


def test_channel_bindings_are_accepted_unless_the_file_says_required(tmp_path: Path) -> None:
    text = (ROOT / "etc/ceod.toml").read_text()
    line = 'channel_bindings = "accepted"'
    assert text.count(line) == 1
    assert not load_daemon(_write(tmp_path, text)).security.must_be_bound
    assert not load_daemon(_write(tmp_path, text.replace(line, ""))).security.must_be_bound
    required = text.replace(line, 'channel_bindings = "required"')
    assert load_daemon(_write(tmp_path, required)).security.must_be_bound


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ('"Required"', "security.channel_bindings has to be one of accepted, required"),
        ('""', "security.channel_bindings is empty"),
        ("true", "security.channel_bindings has to be a text"),
    ],
)
def test_a_value_of_channel_bindings_that_does_not_exist_is_refused(
    tmp_path: Path, value: str, said: str
) -> None:
    text = (ROOT / "etc/ceod.toml").read_text()
    text = text.replace('channel_bindings = "accepted"', f"channel_bindings = {value}")
    with pytest.raises(ConfigError) as caught:
        load_daemon(_write(tmp_path, text))
    assert said in str(caught.value)


def test_no_toml(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"x\.toml"):
        load_client(_write(tmp_path, "= ="))
    with pytest.raises(ConfigError, match="no such file"):
        load_client(str(tmp_path / "none"))
