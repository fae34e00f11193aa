"""Operations in words, for people who read lists of them."""

from __future__ import annotations

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
    "mailman.subscribe": "{} put on a list",
    "mailman.unsubscribe": "{} taken off a list",
    "more": "More that was refused",
    "resume": "Resumed: {}",
    "undo": "Undoing of {}",
}


def operation_sentence(operation: str, subject: str) -> str:
    """An operation and whom or what it is about, such as "Sign-up of jdoe".

    A step has no sentence of its own: it keeps its name, such as "welcome mail for jdoe".
    """
    if sentence := _SENTENCES.get(operation):
        return sentence.format(subject or "...")
    return f"{operation} for {subject}" if subject else operation
