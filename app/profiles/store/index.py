"""The full-text index of a profile's history: an FTS5 table for each profile, over passages, without a copy.

Tables of their own keep what is rare in one person's writing apart from another's, make a search as fast as
the profile is small, and go as a whole with the profile. The table holds words and no text ("contentless",
https://sqlite.org/fts5.html section 4.4.3), so what is removed has to be named as it was added.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from sqlalchemy import Connection

from app.profiles.terms import indexable, passages

# Of what is indexed and how; an index of another version is made again when the database is opened.
VERSION = 2
# Marks belong to words (Hindi, Thai); those that do not are gone. English words are found by their stem.
TOKENIZER = "porter unicode61 remove_diacritics 0 categories 'L* N* Co Mn Mc'"
# A row id is the item's id and, in the last bits, the number of the passage.
PASSAGE_BITS = 14
# Occurrences that one search reads: words are looked up from the rarest on, and the commonest of many give
# way. With 100,000 items this is the difference between 15 ms and 300.
BUDGET = 5_000
# Rows written at a time.
BATCH = 1000


def create(connection: Connection, profile_id: str) -> None:
    options = f'content="", tokenize="{TOKENIZER}"'
    connection.exec_driver_sql(
        f"CREATE VIRTUAL TABLE {_table(profile_id)} USING fts5(title, text, {options})"
    )


def drop(connection: Connection, profile_id: str) -> None:
    connection.exec_driver_sql(f"DROP TABLE {_table(profile_id)}")


def add(connection: Connection, profile_id: str, items: Iterable[tuple[int, str, str]]) -> None:
    """Indexes items, each (id, title, text)."""
    sql = f"INSERT INTO {_table(profile_id)}(rowid, title, text) VALUES (?, ?, ?)"  # noqa: S608
    for rows in _batches(items):
        connection.exec_driver_sql(sql, rows)


def remove(connection: Connection, profile_id: str, items: Iterable[tuple[int, str, str]]) -> None:
    """Takes out items that were added with exactly these titles and texts, to the last byte."""
    table = _table(profile_id)
    # A column of the table's own name takes commands.
    sql = f"INSERT INTO {table}({table}, rowid, title, text) VALUES ('delete', ?, ?, ?)"  # noqa: S608
    for rows in _batches(items):
        connection.exec_driver_sql(sql, rows)
    # A removed word is only marked; merging everything into one is what takes it out of the file.
    connection.exec_driver_sql(f"INSERT INTO {table}({table}) VALUES ('optimize')")  # noqa: S608


def search(
    connection: Connection, profile_id: str, queries: Sequence[tuple[float, Sequence[str]]], limit: int
) -> list[tuple[int, int, float]]:
    """The best passages as (item id, number of the passage, score), best first.

    Each query is words, any of which may match, and a weight; a passage's score is the sum of its BM25 scores
    (https://sqlite.org/fts5.html section 5.1.1, with the sign turned) times the weights.
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
    """An FTS5 query for the rarest of the words, together within the budget, but at least one of them."""
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
    """Makes every profile's index anew, and marks the database with the VERSION."""
    old = "SELECT name FROM sqlite_master WHERE name LIKE '%:search' AND type = 'table'"
    for (name,) in connection.exec_driver_sql(old).all():
        connection.exec_driver_sql(f'DROP TABLE "{name}"')
    for (profile_id,) in connection.exec_driver_sql("SELECT id FROM profile").all():
        create(connection, profile_id)
        history = connection.exec_driver_sql(
            "SELECT id, title, text FROM history WHERE profile_id = ? ORDER BY id", (profile_id,)
        )
        add(connection, profile_id, ((row[0], row[1], row[2]) for row in history))
    connection.exec_driver_sql(f"PRAGMA user_version = {VERSION}")


def _table(profile_id: str) -> str:
    """Quoted. FTS5 adds tables named <this>_data and so on; a slug has no colon, so no two names meet.

    The first colon is for slugs like sqlite_x: names that begin so are SQLite's own.
    """
    return f'":{profile_id}:search"'


def _rows(item_id: int, title: str, text: str) -> list[tuple[int, str, str]]:
    """A title counts with the first passage. A text has a few thousand passages at most; see MAX_TEXT."""
    return [
        (item_id << PASSAGE_BITS | number, indexable(title) if number == 0 else "", indexable(passage))
        for number, passage in enumerate(passages(text)[: 1 << PASSAGE_BITS])
    ]


def _batches(items: Iterable[tuple[int, str, str]]) -> Iterator[list[tuple[int, str, str]]]:
    """The rows of the items, some at a time, so that a large history is not held twice."""
    rows = (row for item in items for row in _rows(*item))
    while batch := list(islice(rows, BATCH)):
        yield batch


def _phrase(word: str) -> str:
    return f'"{word[:-1]}" *' if word.endswith("*") else f'"{word}"'
