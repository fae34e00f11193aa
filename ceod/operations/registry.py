"""Every operation by name and version: what recovery can finish or undo after a restart."""

from __future__ import annotations

from typing import Any

from ceod.operations.add_club import ADD_CLUB
from ceod.operations.add_group import ADD_GROUP
from ceod.operations.add_member import ADD_MEMBER, ADD_MEMBERS
from ceod.operations.change_group import CHANGE_GROUP
from ceod.operations.create_database import CREATE, RESET
from ceod.operations.delete_member import DELETE_MEMBER
from ceod.operations.expire_members import EXPIRE_MEMBERS
from ceod.operations.mend_account import MEND_ACCOUNT
from ceod.operations.modify_member import MODIFY_MEMBER
from ceod.operations.purge_member import PURGE_MEMBER
from ceod.operations.remind_members import REMIND_MEMBERS
from ceod.operations.renew_member import RENEW_MEMBER
from ceod.operations.reset_password import RESET_PASSWORD
from ceod.operations.restore_member import RESTORE_MEMBER
from ceod.operations.set_positions import SET_POSITIONS
from ceod.operations.update_programs import UPDATE_PROGRAMS
from ceod.services.all import Services
from ceod.transaction.step import Operation

OPERATIONS: dict[tuple[str, int], Operation[Services, Any]] = {
    (operation.name, operation.version): operation for operation in (
        ADD_CLUB, ADD_GROUP, ADD_MEMBER, ADD_MEMBERS, CHANGE_GROUP, DELETE_MEMBER, EXPIRE_MEMBERS, MEND_ACCOUNT, MODIFY_MEMBER, PURGE_MEMBER,
        REMIND_MEMBERS, RENEW_MEMBER, RESET_PASSWORD, RESTORE_MEMBER, SET_POSITIONS, UPDATE_PROGRAMS,
        *CREATE.values(), *RESET.values(),
    )
}
