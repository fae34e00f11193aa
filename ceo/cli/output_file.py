"""A file to write, named on the command line."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from pathlib import Path
from typing import TextIO

from ceo_common.errors import CeoError


class NotCreated(CeoError):
    """The file can't be made."""

    code, exit_status = "not_created", 73  # sysexits.h, EX_CANTCREAT


class NotWritten(CeoError):
    """The file was opened, and did not take all of it."""

    code, exit_status = "not_written", 74  # EX_IOERR


def check_new(path: str) -> None:
    """Raises NotCreated where a new file of this path can't be made; makes nothing."""
    folder = os.path.dirname(path)
    if os.path.lexists(path):
        raise NotCreated(f"{path} is there already: name a new file")
    if not os.path.isdir(folder):
        raise NotCreated(f"{path} can't be made: there is no folder {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise NotCreated(f"{path} can't be made: you may not write into {folder}")


def write_whole(path: str, text: str) -> None:
    """Write all of a file, or leave what is there as it was; a pipe or a device is written into.

    Raises NotCreated, NotWritten.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        _fill(_opened(path, path), path, text)
        return
    there = os.path.realpath(path)  # where a link leads, so that it stays a link
    part = f"{os.path.dirname(there)}/.ceo-{uuid.uuid4().hex}"
    file = _opened(part, path)
    try:
        if os.path.exists(there):
            shutil.copymode(there, part)
        _fill(file, path, text)
        os.replace(part, there)
    except OSError as error:
        raise _not_created(path, error) from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)


def _opened(opened: str, path: str) -> TextIO:
    try:
        return Path(opened).open("w", encoding="utf-8")
    except OSError as error:
        raise _not_created(path, error) from None


def _fill(file: TextIO, path: str, text: str) -> None:
    try:
        with file:
            file.write(text)
    except OSError as error:
        raise NotWritten(f"{path} could not be written: {error.strerror}") from None


def _not_created(path: str, error: OSError) -> NotCreated:
    return NotCreated(f"{path} can't be made: {error.strerror}")
