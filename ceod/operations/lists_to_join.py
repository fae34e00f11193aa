"""The mailing lists that earlier transactions still have to put an account on."""

from __future__ import annotations

from ceod.operations.accounts import accounts
from ceod.operations.add_member import Subscribe
from ceod.operations.lists import JoinLists, LeaveLists
from ceod.services.all import Services
from ceod.transaction.engine import Engine


def still_to_join(engine: Engine[Services], uid: str) -> list[str]:
    """By name, from the steps that wait for the mail host."""
    names = set[str]()
    for row in engine.record.waiting():
        operation = engine.operations.get((row.operation, row.version))
        later = next((step for step in operation.after if step.name == row.name), None) if operation else None
        facts = row.arguments | engine.record.facts(row.transaction)
        if isinstance(later, Subscribe):
            names |= {engine.tools.config.members.list for account in accounts(facts) if account["uid"] == uid}
        elif isinstance(later, JoinLists) and not isinstance(later, LeaveLists):
            names |= {name for name, joins in later.pairs(facts) if joins == uid}
    return sorted(names)
