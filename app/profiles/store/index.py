"""The full-text index: one contentless FTS5 table for each profile, whose rows are passages.

With separate tables, word frequencies are those of one person's writing, a search costs in proportion to the
profile's size, and the table is dropped with the profile. A contentless table stores no copy of the text
(https://sqlite.org/fts5.html section 4.4.3), so to remove a row, its exact text must be given again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from sqlalchemy import Connection

from app.profiles.profile import HistoryItem
from app.profiles.terms import indexable, passages

# The version of the index format; opening the database rebuilds an index of another version.
VERSION = 3
# Marks belong to words (Hindi, Thai); optional ones are folded away before. Porter stems English words.
TOKENIZER = "porter unicode61 remove_diacritics 0 categories 'L* N* Co Mn Mc'"
# A rowid is the item's id shifted left by this, plus the passage's number.
PASSAGE_BITS = 14
# Matching rows that one search may read: the rarest words are looked up first, and the commonest are dropped
# beyond it. With 100,000 items a search takes 15 ms instead of 300.
BUDGET = 5_000
# Rows per INSERT.
BATCH = 1000

# What is indexed of an item: its id, title, request and text.
Entry = tuple[int, str, str, str]


def entry(item_id: int, item: HistoryItem) -> Entry:
    return item_id, item.title, item.request, item.text


def create(connection: Connection, profile_id: str) -> None:
    options = f'content="", tokenize="{TOKENIZER}"'
    connection.exec_driver_sql(
        f"CREATE VIRTUAL TABLE {_table(profile_id)} USING fts5(title, request, text, {options})"
    )


def drop(connection: Connection, profile_id: str) -> None:
    connection.exec_driver_sql(f"DROP TABLE {_table(profile_id)}")


def add(connection: Connection, profile_id: str, items: Iterable[Entry]) -> None:
    table = _table(profile_id)
    sql = f"INSERT INTO {table}(rowid, title, request, text) VALUES (?, ?, ?, ?)"  # noqa: S608
    for rows in _batches(items):
        connection.exec_driver_sql(sql, rows)


def remove(connection: Connection, profile_id: str, items: Iterable[Entry]) -> None:
    """Removes items, completely. The entries must be exactly those that were added."""
    table = _table(profile_id)
    # FTS5 takes commands through a hidden column with the table's own name.
    columns = f"{table}, rowid, title, request, text"
    sql = f"INSERT INTO {table}({columns}) VALUES ('delete', ?, ?, ?, ?)"  # noqa: S608
    for rows in _batches(items):
        connection.exec_driver_sql(sql, rows)
    # A removed word is only marked as deleted; merging all segments into one erases it from the file.
    connection.exec_driver_sql(f"INSERT INTO {table}({table}) VALUES ('optimize')")  # noqa: S608


def search(
    connection: Connection, profile_id: str, queries: Sequence[tuple[float, Sequence[str]]], limit: int
) -> list[tuple[int, int, float]]:
    """The best passages as (item id, passage number, score), best first.

    Each query is a weight and words, any of which may match; a passage's score is the weighted sum of its
    BM25 scores (https://sqlite.org/fts5.html section 5.1.1, negated, so that higher is better).
    """
    table = _table(profile_id)
    sql = f"SELECT rowid, rank FROM {table} WHERE {table} MATCH ? ORDER BY rank LIMIT ?"  # noqa: S608
    scores: dict[int, float] = {}
    for weight, words in queries:
        if match := _rarest(connection, table, words, BUDGET // len(queries)):
            for row, rank in connection.exec_driver_sql(sql, (match, limit)):
                scores[row] = scores.get(row, 0.0) - weight * rank
    best = sorted(scores.items(), key=lambda pair: (-pair[1], -pair[0]))[:limit]
    return [(row >> PASSAGE_BITS, row & ((1 << PASSAGE_BITS) - 1), score) for row, score in best]


def _rarest(connection: Connection, table: str, words: Sequence[str], budget: int) -> str:
    """An FTS5 query for the rarest words, as many as the budget of matching rows allows, at least one."""
    counted = f"SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {table} MATCH ? LIMIT ?)"  # noqa: S608
    frequencies = [
        (connection.exec_driver_sql(counted, (phrase, budget + 1)).scalar_one(), phrase)
        for phrase in map(_phrase, words)
    ]
    kept: list[str] = []
    for count, phrase in sorted(pair for pair in frequencies if pair[0]):
        if kept and count > budget:
            break
        kept.append(phrase)
        budget -= count
    return " OR ".join(kept)


def is_current(connection: Connection) -> bool:
    return bool(connection.exec_driver_sql("PRAGMA user_version").scalar_one() == VERSION)


def rebuild(connection: Connection) -> None:
    """Rebuilds every profile's index, and sets the database's user_version to VERSION."""
    old = "SELECT name FROM sqlite_master WHERE name LIKE '%:search' AND type = 'table'"
    for (name,) in connection.exec_driver_sql(old).all():
        connection.exec_driver_sql(f'DROP TABLE "{name}"')
    for (profile_id,) in connection.exec_driver_sql("SELECT id FROM profile").all():
        create(connection, profile_id)
        history = connection.exec_driver_sql(
            "SELECT id, title, request, text FROM history WHERE profile_id = ? ORDER BY id", (profile_id,)
        )
        add(connection, profile_id, ((row[0], row[1], row[2], row[3]) for row in history))
    connection.exec_driver_sql(f"PRAGMA user_version = {VERSION}")


def _table(profile_id: str) -> str:
    """The table's quoted name. FTS5 adds tables <name>_data and so on; slugs have no colon, so none clash.

    The leading colon is for slugs like sqlite_x, since SQLite reserves names that begin with sqlite_.
    """
    return f'":{profile_id}:search"'


def _rows(item_id: int, title: str, request: str, text: str) -> list[tuple[int, str, str, str]]:
    """One row per passage, the first with title and request. A text has at most a few thousand passages; see
    MAX_TEXT."""
    first, *others = passages(text)[: 1 << PASSAGE_BITS]
    rows = [(item_id << PASSAGE_BITS, indexable(title), indexable(request), indexable(first))]
    rows += [
        (item_id << PASSAGE_BITS | number, "", "", indexable(passage))
        for number, passage in enumerate(others, 1)
    ]
    return rows


def _batches(items: Iterable[Entry]) -> Iterator[list[tuple[int, str, str, str]]]:
    """Yields the items' rows in batches, so that a large history is not in memory twice."""
    rows = (row for item in items for row in _rows(*item))
    while batch := list(islice(rows, BATCH)):
        yield batch


def _phrase(word: str) -> str:
    return f'"{word[:-1]}" *' if word.endswith("*") else f'"{word}"'
