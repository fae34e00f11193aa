"""Operations in words, for people who read lists of them."""

from __future__ import annotations

import re

# By the name that transactions and audit logs have for it; {} is whom or what it is about.
_SENTENCES = {
    "add_member": "Sign-up of {}",
    "add_members": "Sign-up of {}",
    "add_club": "New club {}",
    "add_group": "New group {}",
    "change_group": "Group change for {}",
    "create_mysql_database": "MySQL database for {}",
    "create_postgresql_database": "PostgreSQL database for {}",
    "delete_member": "Deletion of {}",
    "expire_members": "Expiry of {}",
    "mend_account": "Repair of {}",
    "modify_member": "Change of {}",
    "purge_member": "Purge of {}",
    "remind_members": "Reminder mails to {}",
    "renew_member": "Renewal of {}",
    "reset_mysql_password": "MySQL password for {}",
    "reset_password": "Password reset of {}",
    "reset_postgresql_password": "PostgreSQL password for {}",
    "restore_member": "Restoration of {}",
    "set_positions": "Change of {}",
    "update_programs": "Update of {}",
    # What stands in the audit log alone.
    "abandon": "Abandoned: {}",
    "journal.accept": "Journal accepted",
    "library.add": "New book: {}",
    "library.lend": "Book lent to {}",
    "library.remind": "Overdue mail to {}",
    "library.renew": "Loan renewed for {}",
    "library.return": "Book returned by {}",
    "library.undo": "Loan change undone for {}",
    "mailman.subscribe": "{} put on a list",
    "mailman.unsubscribe": "{} taken off a list",
    "more": "More that was refused",
    "resume": "Resumed: {}",
    "undo": "Undoing of {}",
}


# By method and path of the API: what people tried who may not; other paths are only read.
_REQUESTS = {
    "POST /api/clubs": "add_club",
    "POST /api/db/mysql/<uid>": "create_mysql_database",
    "POST /api/db/mysql/<uid>/pwreset": "reset_mysql_password",
    "POST /api/db/postgresql/<uid>": "create_postgresql_database",
    "POST /api/db/postgresql/<uid>/pwreset": "reset_postgresql_password",
    "POST /api/groups": "add_group",
    "POST /api/groups/<cn>/members/<uid>": "change_group",
    "DELETE /api/groups/<cn>/members/<uid>": "change_group",
    "POST /api/library/books": "library.add",
    "POST /api/library/books/<book>/loans/<uid>": "library.lend",
    "DELETE /api/library/books/<book>/loans/<uid>": "library.return",
    "POST /api/library/books/<book>/loans/<uid>/renew": "library.renew",
    "POST /api/library/changes/<change>/undo": "library.undo",
    "POST /api/library/overdue/remind": "library.remind",
    "POST /api/mailman/<list_name>/<uid>": "mailman.subscribe",
    "DELETE /api/mailman/<list_name>/<uid>": "mailman.unsubscribe",
    "POST /api/members": "add_member",
    "POST /api/members/bulk": "add_members",
    "PATCH /api/members/<uid>": "modify_member",
    "DELETE /api/members/<uid>": "delete_member",
    "POST /api/members/<uid>/doctor": "mend_account",
    "POST /api/members/<uid>/purge": "purge_member",
    "POST /api/members/<uid>/pwreset": "reset_password",
    "POST /api/members/<uid>/renew": "renew_member",
    "POST /api/members/<uid>/restore": "restore_member",
    "POST /api/members/expire": "expire_members",
    "POST /api/members/remindexpire": "remind_members",
    "POST /api/positions": "set_positions",
    "POST /api/transactions/<identifier>/abandon": "abandon",
    "POST /api/transactions/<identifier>/resume": "resume",
    "POST /api/uwldap/updateprograms": "update_programs",
}
_CONVERTER = re.compile(r"<[a-z]+(?:\([^)]*\))?:")  # of a path such as /books/<int:book>


def operation_sentence(operation: str, subject: str) -> str:
    """An operation and whom or what it is about, such as "Sign-up of jdoe".

    A request that was refused is called by its method and path.  A step has no sentence of its
    own: it keeps its name, such as "welcome mail for jdoe".
    """
    if "/api/" in operation:
        name = _REQUESTS.get(_CONVERTER.sub("<", operation), "")
        about = f" about {subject}" if subject else ""
        return operation_sentence(name, subject) if name else f"Request{about}"
    if sentence := _SENTENCES.get(operation):
        return sentence.format(subject or "...")
    return f"{operation} for {subject}" if subject else operation
