"""Whose an archived home is."""

from __future__ import annotations

from pathlib import Path

from ceo_common.config import Homes as Settings
from ceod.services.homes import Homes


def test_what_an_undone_sign_up_kept_is_no_home_to_restore(tmp_path: Path) -> None:
    """The deletion's archive comes back, also where a later sign-up was undone."""
    homes = Homes(Settings(root=str(tmp_path), archive=str(tmp_path)))
    for name in ("ada.1", "ada.undone-2", "adam.3", "adam.undone-4"):
        (tmp_path / name).mkdir()
    assert homes.archived_of("ada") == ["ada.1"]
    assert homes.undone_of("ada") == ["ada.undone-2"]
    assert homes.left_behind("ada") == [f"{tmp_path}/ada.1", f"{tmp_path}/ada.undone-2"]
