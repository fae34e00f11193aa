"""The mailing lists that earlier transactions still have to put an account on."""

from __future__ import annotations

from ceod.operations.accounts import accounts
from ceod.operations.add_member import Subscribe
from ceod.operations.lists import JoinLists, LeaveLists
from ceod.services.all import Services
from ceod.transaction.engine import Engine


def still_to_join(engine: Engine[Services], uid: str) -> dict[str, float]:
    """Each list with the time of the newest wish for it, in seconds since the epoch.

    These wishes are steps that wait for the mail host.
    """
    wishes: dict[str, float] = {}
    for row in engine.record.waiting():
        operation = engine.operations.get((row.operation, row.version))
        after = operation.after if operation else ()
        later = next((step for step in after if step.name == row.name), None)
        names: list[str] = []
        if isinstance(later, Subscribe):
            uids = {account["uid"] for account in accounts(row.arguments)}
            names = [engine.tools.config.members.list] if uid in uids else []
        elif isinstance(later, JoinLists) and not isinstance(later, LeaveLists):
            facts = row.arguments | engine.record.facts(row.transaction)
            names = [name for name, joins in later.pairs(facts) if joins == uid]
        wishes |= {name: max(row.committed, wishes.get(name, 0)) for name in names}
    return wishes
