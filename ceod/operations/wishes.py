"""Who wished last to be on a mailing list, or off it: kept by the mail host, so that what waited elsewhere never undoes it."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ceod.transaction.journal import Journal
from ceod.transaction.tables import wishes

_TICK_S = 1e-6  # between two wishes that are made at one moment


@dataclass(frozen=True)
class Newest:
    """What was wished last of an account and a list."""

    joins: bool
    at: float  # seconds since the epoch
    approved: bool  # it needs no word of a moderator


@dataclass(frozen=True)
class Wish:
    """That accounts be on a list from a moment on (seconds since the epoch), or off it."""

    list_name: str
    joins: bool
    at: float
    uids: list[str]  # those for whom nobody wished otherwise later
    overtaken: list[str]  # the others
    before: dict[str, Newest]  # of `uids`: what was wished until then


class Wishes:
    """The newest wish of each account and list."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def make(
        self,
        list_name: str,
        uids: list[str],
        *,
        joins: bool,
        at: float | None,
        approved: bool = False,
    ) -> Wish:
        """Note a wish of that moment, or one of now, which is newer than all others.

        A moment to come counts as now: a host whose clock is ahead must not win against whoever
        comes next.  So does one that was noted while our own clock was ahead.
        """

        def note(connection: Connection) -> Wish:
            now = time.time()
            known = self._newest_until(now, connection, list_name, uids)
            latest = max([now, *(newest.at + _TICK_S for newest in known.values())])
            moment = latest if at is None else min(at, now)
            overtaken = _otherwise_after(moment, known, joins=joins)
            for uid in overtaken:
                self._put(connection, list_name, uid, known.pop(uid))
            wish = Wish(
                list_name,
                joins,
                moment,
                [uid for uid in uids if uid not in overtaken],
                overtaken,
                known,
            )
            for uid in wish.uids:
                before, newest = known.get(uid), Newest(joins, moment, approved)
                is_later = before is not None and before.at > moment
                self._put(connection, list_name, uid, before if before and is_later else newest)
            return wish

        return self._journal.write(note)

    def take_back(self, wish: Wish) -> None:
        """It was refused for good: what was wished before counts again, unless somebody wished something since."""

        def restore(connection: Connection) -> None:
            now_known = self._newest(connection, wish.list_name, wish.uids)
            for uid in wish.uids:
                newest = now_known.get(uid)
                if newest and (newest.joins, newest.at) != (wish.joins, wish.at):
                    continue
                if uid in wish.before:
                    self._put(connection, wish.list_name, uid, wish.before[uid])
                else:
                    connection.execute(wishes.delete().where(self._is(wish.list_name, uid)))

        self._journal.write(restore)

    def overtaken(self, wish: Wish) -> dict[str, Newest]:
        """What those wished who wished otherwise while this one was carried out."""
        with self._journal.reading() as connection:
            known = self._newest(connection, wish.list_name, wish.uids)
        return {uid: newest for uid, newest in known.items() if newest.joins != wish.joins}

    def newer(self, list_name: str, uids: list[str], *, joins: bool, at: float | None) -> list[str]:
        """Of which accounts make() would say that they are overtaken."""
        if at is None:
            return []
        now = time.time()
        with self._journal.reading() as connection:
            known = self._newest_until(now, connection, list_name, uids)
        return _otherwise_after(min(at, now), known, joins=joins)

    def _newest(self, connection: Connection, list_name: str, uids: list[str]) -> dict[str, Newest]:
        query = sa.select(wishes).where(wishes.c.list == list_name, wishes.c.uid.in_(uids))
        rows = connection.execute(query)
        return {row.uid: Newest(row.joins, row.at, row.approved) for row in rows}

    def _newest_until(
        self, now: float, connection: Connection, list_name: str, uids: list[str]
    ) -> dict[str, Newest]:
        return {
            uid: replace(newest, at=min(newest.at, now))
            for uid, newest in self._newest(connection, list_name, uids).items()
        }

    def _put(self, connection: Connection, list_name: str, uid: str, newest: Newest) -> None:
        values = asdict(newest)
        updated = connection.execute(wishes.update().where(self._is(list_name, uid)).values(values))
        if not updated.rowcount:
            connection.execute(wishes.insert().values(list=list_name, uid=uid, **values))

    def _is(self, list_name: str, uid: str) -> sa.ColumnElement[bool]:
        return sa.and_(wishes.c.list == list_name, wishes.c.uid == uid)


def _otherwise_after(moment: float, known: dict[str, Newest], *, joins: bool) -> list[str]:
    """The accounts for whom somebody wished the opposite later."""
    return [uid for uid, newest in known.items() if newest.at > moment and newest.joins != joins]
