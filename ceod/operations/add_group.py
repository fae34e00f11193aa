"""Add a group that is nobody's own."""

from __future__ import annotations

from ceod.operations.accounts import AddGroups, TakeNumbers
from ceod.operations.private import Private
from ceod.services.all import Services
from ceod.transaction.step import Json, Operation


def _result(facts: Json) -> Json:
    return {
        "cn": facts["uid"],
        "gid_number": facts["numbers"][facts["uid"]],
        "warnings": facts.get("warnings", []),  # an older version's journal has none
    }


ADD_GROUP: Operation[Services, Private] = Operation(
    name="add_group", version=1, before=(TakeNumbers("administrative"), AddGroups()), result=_result,
)
