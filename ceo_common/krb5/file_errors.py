"""Tells a file that libkrb5 could not read or write from a ticket that it did not accept."""

from __future__ import annotations

import errno
import os
from functools import cache

from gssapi.raw import GSSError

from ceo_common.krb5 import krb5
from ceo_common.krb5._krb5 import lib
from ceo_common.krb5.errors import gssapi_reason

_ERRNOS = (
    errno.EACCES,
    errno.EBADF,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EIO,
    errno.EISDIR,
    errno.ELOOP,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENODEV,
    errno.ENOENT,
    errno.ENOLCK,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.ENXIO,
    errno.EPERM,
    errno.EROFS,
    errno.ESTALE,
    errno.ETXTBSY,
)
# KRB5_RC_REPLAY and KRB5_RC_REQUIRED are left out: those are about a ticket.
_CODES = (
    lib.KRB5_RC_IO,
    lib.KRB5_RC_NOIO,
    lib.KRB5_RC_PARSE,
    lib.KRB5_RC_IO_EOF,
    lib.KRB5_RC_IO_MALLOC,
    lib.KRB5_RC_IO_PERM,
    lib.KRB5_RC_IO_IO,
    lib.KRB5_RC_IO_UNKNOWN,
    lib.KRB5_RC_IO_SPACE,
    lib.KRB5_RC_MALLOC,
    lib.KRB5_RC_UNKNOWN,
    lib.KRB5_RC_TYPE_NOTFOUND,
    lib.KRB5_RCACHE_BADVNO,
)


def file_problem(error: GSSError) -> str | None:
    """What is wrong with a file, in libkrb5's words; None where the error is not about a file.

    The text decides, because the minor status does not: for SPNEGO, libgssapi puts numbers of its
    own (100000 and up) in the place of errno and of KRB5_RC_*, but it keeps their texts.
    """
    reason = gssapi_reason(error.gen_message())
    return reason if reason.startswith(_texts()) else None


@cache
def _texts() -> tuple[str, ...]:
    """The texts of the statuses that are about a file."""
    context = krb5.init_context()
    known = [os.strerror(number) for number in _ERRNOS]
    return tuple(known + [context.error(code, "").message for code in _CODES])
