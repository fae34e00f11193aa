"""Mails about overdue books: one to each person, at most one a week about a loan."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby

from ceo_common.errors import BackendDown
from ceo_common.model.library import Loan, OverdueMails, Reminded
from ceod.library.database import Database
from ceod.library.lending import Desk
from ceod.services.directory import Directory
from ceod.services.entry import Person
from ceod.services.smtp import Smtp


def plan(database: Database, directory: Directory, desk: Desk) -> OverdueMails:
    """The mails that would go.  Raises BackendDown."""
    return _mails(database.run(desk.to_remind), directory)[0]


def send(database: Database, directory: Directory, desk: Desk, smtp: Smtp, told: Callable[[Reminded], None]) -> OverdueMails:
    """Send them; `told` hears of each that is sent.  Raises BackendDown: what was not sent is as if it had not been tried."""
    found, people = _mails(database.run(desk.to_remind), directory)
    # Noted before it is sent: who runs this at the same time, or after a crash of ours, does not mail twice.
    claimed = database.run(lambda connection: desk.claim(connection, [mail.uid for mail in found.mails]))
    mails, sent, refused = _by_person([loan for _, loan in claimed.values()]), list[Reminded](), list[str]()
    try:
        for mail in mails:
            text = smtp.mail("overdue", f"{mail.uid}@{smtp.domain}", f"overdue.{mail.uid}.{desk.today.isoformat()}", cn=people[mail.uid].one("cn"),
                             loans=[loan.model_dump() for loan in mail.loans])
            if smtp.send_all([text]):
                refused.append(mail.uid)
            else:
                sent.append(mail)
                told(mail)
    except BackendDown as error:
        raise BackendDown(f"{error.message} ({len(sent)} of {len(mails)} mails were sent)", backend=error.backend) from None
    finally:
        if rest := {loan.loan: claimed[loan.loan][0] for mail in mails if mail not in sent for loan in mail.loans}:
            database.run(lambda connection: desk.unclaim(connection, rest))
    return OverdueMails(mails=sent, gone=found.gone, broken=found.broken, refused=refused)


def _mails(loans: list[Loan], directory: Directory) -> tuple[OverdueMails, dict[str, Person]]:
    by_person = _by_person(loans)
    people = directory.people_named([mail.uid for mail in by_person], ["uid", "cn", "shadowExpire"])
    here = {uid: person for uid, person in people.items() if not person.is_deleted}
    gone = [mail.uid for mail in by_person if mail.uid not in {**here, **people.broken}]
    mails = [mail for mail in by_person if mail.uid in here]
    return OverdueMails(mails=mails, gone=gone, broken=sorted(people.broken), refused=[]), here


def _by_person(loans: list[Loan]) -> list[Reminded]:
    in_order = sorted(loans, key=lambda loan: (loan.uid, loan.due_on, loan.loan))
    return [Reminded(uid=uid, loans=list(theirs)) for uid, theirs in groupby(in_order, key=lambda loan: loan.uid)]
