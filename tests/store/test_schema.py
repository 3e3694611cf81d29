"""Older and newer files, and steps between them that fail half-way."""

import sqlite3

import pytest

from glm4v_tui.errors import StoreError
from glm4v_tui.store import database as module
from glm4v_tui.store.database import Database


@pytest.fixture
def file(tmp_path):
    return tmp_path / "x.sqlite3"


def version(file):
    return sqlite3.connect(file).execute("PRAGMA user_version").fetchone()[0]


def test_a_file_of_an_older_version_is_brought_up_to_date(file, monkeypatch):
    monkeypatch.setattr(module, "MIGRATIONS", (("CREATE TABLE a (x)", "INSERT INTO a VALUES (7)"),))
    Database(file).close()
    more = ("ALTER TABLE a ADD COLUMN y DEFAULT 8",)
    monkeypatch.setattr(module, "MIGRATIONS", (*module.MIGRATIONS, more))
    database = Database(file)
    assert [tuple(row) for row in database.rows("SELECT x, y FROM a")] == [(7, 8)]
    database.close()
    assert version(file) == 2


def test_a_step_that_fails_leaves_the_file_as_it_was(file, monkeypatch):
    monkeypatch.setattr(module, "MIGRATIONS", (("CREATE TABLE a (x)",),))
    Database(file).close()
    bad = ("CREATE TABLE b (x)", "CREATE TABLE a (x)")
    monkeypatch.setattr(module, "MIGRATIONS", (*module.MIGRATIONS, bad))
    with pytest.raises(StoreError):
        Database(file)
    assert version(file) == 1
    tables = sqlite3.connect(file).execute("SELECT name FROM sqlite_schema").fetchall()
    assert tables == [("a",)]


def test_a_file_of_a_newer_version_is_left_alone(file):
    Database(file).close()
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = file.read_bytes()
    with pytest.raises(StoreError) as told:
        Database(file)
    assert "newer version" in told.value.title
    assert "Update glm4v-tui" in told.value.remedy
    assert file.read_bytes() == before
