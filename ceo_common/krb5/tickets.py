"""What ceo does with tickets: get one with a password, look at a cache, forward one for a short while, open a forwarded one."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ceo_common.krb5 import krb5
from ceo_common.krb5._krb5 import lib
from ceo_common.krb5.errors import Krb5Error

FORWARDED_LIFE_S = 600


class NoTicket(Exception):
    """There is no ticket, or it has ended; the text says which."""


class WrongPassword(Exception):
    """The KDC did not take the password, or does not know the name."""


class PasswordExpired(Exception):
    """The password has to be changed before it gets a ticket."""


class PasswordRefused(Exception):
    """The new password was not taken; the text says why, in lines where the KDC has several."""


class NotAdmitted(Exception):
    """The KDC gives this account no ticket, whatever the password; the text says why, and what to do."""


# RFC 4120, section 7.5.9: what the KDC says of an account, by the error's number.
_NOT_ADMITTED = {
    1: "the account {name} is over; ask the office to renew the membership",
    12: "the rules of the KDC give {name} no ticket here ({reason}); ask the systems committee",
    18: "the account {name} is locked; ask the systems committee",
    21: "the account {name} is not valid yet; ask the systems committee",
}
_FIRST_ERROR = lib.KRB5KRB_AP_ERR_SKEW - 37  # com_err's number of RFC 4120's error 0
_AWAY = "no KDC of the realm answers; try again in a moment, then tell the systems committee"
_CLOCK = "the clocks differ by more than five minutes; set this machine's right (timedatectl)"
_OF_THE_SURROUNDINGS = {
    lib.KRB5_KDC_UNREACH: _AWAY,
    lib.KRB5_REALM_CANT_RESOLVE: _AWAY,
    lib.KRB5KRB_AP_ERR_SKEW: _CLOCK,
}


@dataclass(frozen=True)
class Ticket:
    """A ticket-granting ticket as found in a cache."""

    client: str
    endtime: int  # seconds since the epoch
    forwardable: bool
    ccache: str


def initial(name: str, password: str, ccache: str | None = None) -> Ticket:
    """Get a ticket with a password into a cache (None: the default one, as kinit does), which is emptied first.

    Raises WrongPassword, PasswordExpired, NotAdmitted, Krb5Error.
    """
    context = krb5.init_context()
    client = krb5.parse_name(context, name)
    try:
        creds = krb5.get_init_creds_password(context, client, password)
    except Krb5Error as error:
        if error.code == lib.KRB5KDC_ERR_KEY_EXP:
            # The KDC says so before it has seen the password.
            _password_change(context, client, password)
            raise PasswordExpired("the password has to be changed first") from None
        raise _of_password(error, name) from None
    cache = krb5.cc_resolve(context, ccache) if ccache else krb5.cc_default(context)
    krb5.cc_initialize(context, cache, creds.c.client)
    krb5.cc_store_cred(context, cache, creds)
    return _ticket(creds, krb5.cc_get_full_name(context, cache))


def _of_password(error: Krb5Error, name: str) -> Exception:
    if error.code in (lib.KRB5KDC_ERR_PREAUTH_FAILED, lib.KRB5KRB_AP_ERR_BAD_INTEGRITY):
        return WrongPassword("the password is wrong")
    if error.code == lib.KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN:
        return WrongPassword("no such account")
    if reason := _NOT_ADMITTED.get(error.code - _FIRST_ERROR):
        return NotAdmitted(reason.format(name=name.partition("@")[0], reason=error.message))
    if reason := _OF_THE_SURROUNDINGS.get(error.code):
        return Krb5Error(error.code, error.stage, reason)
    return error


def _password_change(context: krb5.Context, client: krb5.Principal, password: str) -> krb5.Creds:
    """A ticket to change a password, an expired one too.  Raises WrongPassword, NotAdmitted, Krb5Error."""
    try:
        return krb5.get_init_creds_password(
            context, client, password, service="kadmin/changepw", life_s=300
        )
    except Krb5Error as error:
        raise _of_password(error, str(client)) from None


def change_password(name: str, old: str, new: str) -> None:
    """Change one's own password, an expired one too.

    Raises WrongPassword, PasswordRefused, NotAdmitted, Krb5Error.
    """
    check_new_password(new)
    context = krb5.init_context()
    creds = _password_change(context, krb5.parse_name(context, name), old)
    result, text = krb5.change_password(context, creds, new)
    if result != 0:
        raise PasswordRefused(f"the KDC refused the new password: {text}")


def check_new_password(password: str) -> None:
    """Refuse what cannot be typed everywhere.  Raises PasswordRefused."""
    if not (password.isascii() and password.isprintable()):
        raise PasswordRefused(
            "a new password may have only the letters, digits and signs of an English keyboard: "
            "kinit sends raw bytes, which for other letters differ from machine to machine"
        )


def _ticket(creds: krb5.Creds, ccache: str) -> Ticket:
    return Ticket(creds.client, creds.times.endtime, bool(creds.flags & lib.TKT_FLG_FORWARDABLE), ccache)


def _ticket_granting(context: krb5.Context, cache: krb5.CCache) -> krb5.Creds:
    try:
        client = str(krb5.cc_get_principal(context, cache))
        realm = client.rpartition("@")[2]
        for creds in cache:
            if creds.server == f"krbtgt/{realm}@{realm}":
                return creds
    except Krb5Error as error:
        if error.code not in (lib.KRB5_FCC_NOFILE, lib.KRB5_CC_NOTFOUND):
            raise
    raise NoTicket("there is no Kerberos ticket")


def find(ccache: str | None = None) -> Ticket:
    """The ticket-granting ticket of a cache (None: the default one).  Raises NoTicket when there is none or it has ended."""
    context = krb5.init_context()
    cache = krb5.cc_resolve(context, ccache) if ccache else krb5.cc_default(context)
    found = _ticket(_ticket_granting(context, cache), krb5.cc_get_full_name(context, cache))
    if found.endtime <= time.time():
        raise NoTicket("the Kerberos ticket has ended")
    return found


def forward(ccache: str | None = None, life_s: int = FORWARDED_LIFE_S) -> bytes:
    """A forwarded, non-forwardable ticket of at most life_s seconds, as a KRB-CRED whose session key is in clear.

    krb5_fwd_tgt_creds cannot shorten a ticket; the KDC does when asked for an end.  Raises NoTicket, Krb5Error.
    """
    context = krb5.init_context()
    cache = krb5.cc_resolve(context, ccache) if ccache else krb5.cc_default(context)
    mine = _ticket_granting(context, cache)
    if mine.times.endtime <= time.time():
        raise NoTicket("the Kerberos ticket has ended")
    realm = mine.client.rpartition("@")[2]
    server = krb5.parse_name(context, f"krbtgt/{realm}@{realm}")
    forwarded = krb5.get_cred_via_tkt(context, mine, lib.KDC_OPT_FORWARDED, server, int(time.time()) + life_s)
    return krb5.mk_1cred(context, forwarded)


def receive(message: bytes) -> tuple[Ticket, krb5.Context, krb5.CCache]:
    """Open a KRB-CRED of one ticket into a MEMORY cache of its own, which the caller destroys with its context.

    Only for a process that may die: see krb5.rd_cred.  Raises Krb5Error, ValueError.
    """
    context = krb5.init_context()
    found = krb5.rd_cred(context, message)
    if len(found) != 1 or not found[0].c.client or not found[0].c.server:
        raise ValueError(f"a KRB-CRED of one ticket was expected, this one has {len(found)}")
    cache = krb5.cc_new_unique(context, "MEMORY")
    krb5.cc_initialize(context, cache, found[0].c.client)
    krb5.cc_store_cred(context, cache, found[0])
    return _ticket(found[0], krb5.cc_get_full_name(context, cache)), context, cache
