"""Every operation by name and version: what recovery can finish or undo after a restart."""

from __future__ import annotations

from typing import Any

from ceod.operations.add_member import ADD_MEMBER
from ceod.operations.reset_password import RESET_PASSWORD
from ceod.services.all import Services
from ceod.transaction.step import Operation

OPERATIONS: dict[tuple[str, int], Operation[Services, Any]] = {
    (operation.name, operation.version): operation for operation in (ADD_MEMBER, RESET_PASSWORD)
}
