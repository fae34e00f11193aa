"""Who wished last to be on a mailing list, or off it: kept by the mail host, so that what waited elsewhere never undoes it."""

from __future__ import annotations

import time
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from ceod.transaction.journal import Journal
from ceod.transaction.tables import wishes

_TICK_S = 1e-6  # between two wishes that are made at one moment


@dataclass(frozen=True)
class Wish:
    """That accounts be on a list from a moment on (seconds since the epoch), or off it."""

    list_name: str
    joins: bool
    at: float
    uids: list[str]  # those for whom nobody wished otherwise later
    overtaken: list[str]  # the others
    before: dict[str, tuple[bool, float]]  # of `uids`: what was wished until then


class Wishes:
    """The newest wish of each account and list."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def make(self, list_name: str, uids: list[str], *, joins: bool, at: float | None) -> Wish:
        """Note a wish of that moment, or one of now, which is newer than all others.

        A moment to come counts as now: a host whose clock is ahead must not win against whoever
        comes next.
        """
        def note(connection: Connection) -> Wish:
            now = time.time()
            rows = self._rows(connection, list_name, uids)
            moment = min(at, now) if at is not None else max([now, *(row.at + _TICK_S for row in rows.values())])
            overtaken = [uid for uid, row in rows.items() if row.at > moment and row.joins != joins]
            before = {uid: (row.joins, row.at) for uid, row in rows.items() if uid not in overtaken}
            wish = Wish(list_name, joins, moment, [uid for uid in uids if uid not in overtaken], overtaken, before)
            for uid in wish.uids:
                latest = max(moment, before[uid][1]) if uid in before else moment
                self._put(connection, list_name, uid, joins, latest)
            return wish

        return self._journal.write(note)

    def take_back(self, wish: Wish) -> None:
        """It was refused for good: what was wished before counts again, unless somebody wished something since."""
        def restore(connection: Connection) -> None:
            rows = self._rows(connection, wish.list_name, wish.uids)
            for uid in wish.uids:
                if uid in rows and (rows[uid].joins, rows[uid].at) != (wish.joins, wish.at):
                    continue
                if uid in wish.before:
                    self._put(connection, wish.list_name, uid, *wish.before[uid])
                else:
                    connection.execute(wishes.delete().where(self._is(wish.list_name, uid)))

        self._journal.write(restore)

    def overtaken(self, wish: Wish) -> list[str]:
        """Those who wished otherwise while this one was carried out."""
        with self._journal.reading() as connection:
            rows = self._rows(connection, wish.list_name, wish.uids)
        return [uid for uid, row in rows.items() if row.joins != wish.joins]

    def _rows(self, connection: Connection, list_name: str, uids: list[str]) -> dict[str, Row[tuple[str, str, bool, float]]]:
        query = sa.select(wishes).where(wishes.c.list == list_name, wishes.c.uid.in_(uids))
        return {row.uid: row for row in connection.execute(query)}

    def _put(self, connection: Connection, list_name: str, uid: str, joins: bool, at: float) -> None:
        values = {"joins": joins, "at": at}
        updated = connection.execute(wishes.update().where(self._is(list_name, uid)).values(values))
        if not updated.rowcount:
            connection.execute(wishes.insert().values(list=list_name, uid=uid, **values))

    def _is(self, list_name: str, uid: str) -> sa.ColumnElement[bool]:
        return sa.and_(wishes.c.list == list_name, wishes.c.uid == uid)
