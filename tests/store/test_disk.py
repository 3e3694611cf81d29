"""What disks do to a database, done to the real one in processes of their own."""

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import pytest

from glm4v_tui.errors import StoreError
from glm4v_tui.store import database as module
from glm4v_tui.store.database import Database
from glm4v_tui.store.file_system import is_network

WRITER = [sys.executable, "-m", "tests.store.writer"]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "data" / "x.sqlite3"


def start(file, *wishes, before=()):
    return subprocess.Popen(
        [*before, *WRITER, file, *wishes], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def run(file, *wishes, **options):
    process = start(file, *wishes, **options)
    said, errors = process.communicate(timeout=60)
    return process.returncode, said.split(), errors


def killed(process):
    """End it at once; what it had acknowledged that was not read yet."""
    process.kill()
    process.wait()
    rest = process.stdout.read().split()
    process.stdout.close()
    process.stderr.close()
    return rest


def numbers(file):
    database = Database(file)
    try:
        assert database.rows("PRAGMA integrity_check")[0][0] == "ok"
        return [row["n"] for row in database.rows("SELECT n FROM numbers ORDER BY rowid")]
    finally:
        database.close()


def test_what_was_acknowledged_is_there_after_kill_9(file):
    acknowledged = 0
    for kills in range(8):
        process = start(file)
        time.sleep(0.03 * kills)  # not a wait: kills at other moments each time
        line = process.stdout.readline()
        acknowledged += len(line.split()) + len(killed(process))
    # A number can be on the disk whose word was cut off, one at a kill.
    assert acknowledged <= len(numbers(file)) <= acknowledged + 8


def test_a_torn_last_page_of_the_journal_costs_that_transaction_only(file):
    process = start(file, "fill=3000")
    for _ in range(5):
        process.stdout.readline()
    killed(process)
    written = numbers_in_copy(file)
    wal = file.with_name(f"{file.name}-wal")
    os.truncate(wal, wal.stat().st_size - 1000)  # the power went while it was written
    torn = numbers(file)
    assert torn == written[: len(torn)]
    assert len(torn) == len(written) - 1


def numbers_in_copy(file):
    """What is there, without opening the file itself: that would tidy its journal away."""
    copy = shutil.copytree(file.parent, file.parent.with_name("copy"))
    return numbers(copy / file.name)


def test_garbage_at_the_end_of_the_journal_is_ignored(file):
    process = start(file)
    said = [process.stdout.readline() for _ in range(5)]
    said += killed(process)
    with file.with_name(f"{file.name}-wal").open("ab") as wal:
        wal.write(os.urandom(5000))
    assert len(numbers(file)) >= len(said)


def test_a_full_disk_is_told_and_loses_nothing(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    script = f"mount -t tmpfs -o size=600k tmpfs {disk} && shift && cd {Path.cwd()} || exit 77; "
    inside = f'"$@"; code=$?; cp {disk}/x.sqlite3* {tmp_path}; exit $code'
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("needs a mount of its own")
    code, said, errors = run(
        disk / "x.sqlite3",
        "fill=5000",
        before=["unshare", "-rm", "sh", "-c", script + inside, "-", "-"],
    )
    assert code == 6, errors
    assert errors.startswith("The disk is full\n")
    assert "Make room" in errors
    assert numbers(tmp_path / "x.sqlite3") == [int(n) for n in said] != []


def test_a_file_that_may_not_grow_is_told_and_loses_nothing(file):
    code, said, errors = run(file, "limit=300000", "fill=5000")
    assert code == 6, errors
    assert "disk I/O error" in errors or "The disk is full" in errors
    assert numbers(file) == [int(n) for n in said] != []


def test_a_folder_that_cannot_be_written_is_told(file):
    file.parent.mkdir(mode=0o755)
    for folder in (file.parent, *file.parents[1:4]):
        folder.chmod(0o755)
    code, _, errors = run(file, "as-nobody") if os.getuid() == 0 else run_read_only(file.parent)
    assert code == 6, errors
    assert errors.startswith("The database cannot be opened or written\n")
    assert "GLM4V_TUI_HOME" in errors
    assert "Permission denied" in errors


def run_read_only(folder):
    folder.chmod(0o555)
    try:
        return run(folder / "x.sqlite3")
    finally:
        folder.chmod(0o755)


def test_a_file_that_cannot_be_written_is_told(file):
    run(file, "count=3")
    file.chmod(0o444)
    file.parent.chmod(0o777)
    for folder in file.parents[1:4]:
        folder.chmod(0o755)
    code, _, errors = run(file, "as-nobody", "count=1")
    assert code == 6, errors
    assert errors.startswith("The database cannot be opened or written\n")
    assert len(numbers(file)) == 3


READER = """
import sys
from pathlib import Path
from glm4v_tui.errors import StoreError
from glm4v_tui.store.database import Database

file = Path(sys.argv[1])
database = Database(file, may_read_only=True)
print(*(row["n"] for row in database.rows("SELECT n FROM numbers ORDER BY rowid")))
print(database.is_read_only)
try:
    with database.transaction() as run:
        run.execute("INSERT INTO numbers VALUES (9, NULL)")
except StoreError as error:
    print(error.title)
database.close()
"""


def on_a_read_only_disk(file, script=READER):
    """What a program says that sees the file's folder on a disk that is mounted read-only."""
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("needs a mount of its own")
    folder = file.parent
    mount = f"mount --bind {folder} {folder} && mount -o remount,ro,bind {folder} || exit 77; "
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", f'{mount} exec "$@"', "-", sys.executable, "-c", script,
         file],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode != 77, done.stderr
    return done.stdout.splitlines(), done.stderr


READ_ONLY = ["0 1 2", "True", "The database cannot be opened or written"]


@pytest.mark.parametrize("name", ["x.sqlite3", "odd ?name#50%.sqlite3"])
def test_on_a_read_only_disk_it_is_read(file, name):
    file = file.with_name(name)
    run(file, "count=3")
    assert not file.with_name(f"{name}-wal").exists()
    before = sorted(file.parent.iterdir())
    assert on_a_read_only_disk(file) == (READ_ONLY, "")
    assert sorted(file.parent.iterdir()) == before


def test_on_a_read_only_disk_the_journal_of_a_killed_process_is_read(file):
    process = start(file, "count=3", "stay")
    for _ in range(3):
        process.stdout.readline()
    killed(process)
    assert file.with_name("x.sqlite3-wal").stat().st_size > 0
    assert on_a_read_only_disk(file) == (READ_ONLY, "")


def test_a_read_only_journal_that_cannot_be_read_is_not_passed_over(file):
    """What it holds was acknowledged: to show the file without it would hide that."""
    process = start(file, "count=3", "stay")
    for _ in range(3):
        process.stdout.readline()
    killed(process)
    file.with_name("x.sqlite3-shm").unlink()
    said, errors = on_a_read_only_disk(file)
    assert said == []
    assert "The database cannot be opened or written" in errors


def test_a_read_only_file_of_an_older_version_is_told(file):
    run(file, "count=3")
    script = "from glm4v_tui.store import database as d; d.MIGRATIONS += ((),)\n" + READER
    said, errors = on_a_read_only_disk(file, script)
    assert said == []
    assert "The database is from an older version of this program" in errors


def test_who_is_to_write_is_told_at_once(file):
    run(file, "count=3")
    script = READER.replace(", may_read_only=True", "")
    said, errors = on_a_read_only_disk(file, script)
    assert said == []
    assert "The database cannot be opened or written" in errors


@pytest.mark.parametrize("damage", ["head", "rest"])
def test_a_damaged_file_is_told_with_what_to_do(file, damage):
    run(file, "count=50", "fill=5000")
    with file.open("r+b") as opened:
        opened.seek(0 if damage == "head" else 4096)
        opened.write(b"\xff" * (100 if damage == "head" else file.stat().st_size - 4096))
    code, _, errors = run(file, "count=3", "fill=9000")
    assert code == 6, errors
    assert errors.startswith("The database is damaged\n")
    assert ".recover" in errors


def test_a_disk_without_locks_is_told_at_once(file):
    if os.uname().machine not in ("x86_64", "aarch64"):
        pytest.skip("the filter is not written for this machine")
    began = time.monotonic()
    code, _, errors = run(file, "no-locks", "count=1")
    assert code == 6, errors
    assert errors.startswith("The database needs a file system with locks\n")
    assert time.monotonic() - began < 5


def test_many_processes_write_at_once(file):
    writers = [start(file, "count=40") for _ in range(6)]
    ends = [writer.communicate(timeout=60) for writer in writers]
    assert [(writer.returncode, end[1]) for writer, end in zip(writers, ends, strict=True)] == [
        (0, "")
    ] * 6
    assert sorted(numbers(file)) == sorted([*range(40)] * 6)


def test_a_process_that_holds_the_database_is_told(file, monkeypatch):
    monkeypatch.setattr(module, "BUSY_S", 0.3)
    database = Database(file)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError) as told, database.transaction():
        pass
    assert told.value.title == "Another program holds the database"
    other.close()
    with database.transaction():
        pass
    database.close()


def test_file_and_folder_are_the_owners_alone(file):
    database = Database(file)
    with database.transaction() as run_:
        run_.execute("CREATE TABLE x (y)")
    assert file.parent.stat().st_mode & 0o777 == 0o700
    modes = {path.name: path.stat().st_mode & 0o777 for path in file.parent.iterdir()}
    assert modes == dict.fromkeys(["x.sqlite3", "x.sqlite3-wal", "x.sqlite3-shm"], 0o600)
    database.close()


MOUNTS = """\
22 1 259:1 / / rw,relatime shared:1 - ext4 /dev/root rw
30 22 0:40 / /home rw shared:2 - nfs4 server:/home rw,vers=4.2
31 30 0:41 / /home/my\\040disk rw - xfs /dev/sdb rw
32 22 0:42 / /home2 rw - ext4 /dev/sdc rw
"""


@pytest.mark.parametrize(
    ("folder", "found"),
    [
        ("/home/me", True),
        ("/home", True),
        ("/home/my disk/x", False),
        ("/home2", False),
        ("/", False),
    ],
)
def test_a_network_disk_is_told_by_its_mount(folder, found):
    assert is_network(folder, MOUNTS) is found


def test_on_a_network_disk_no_memory_is_shared(file, monkeypatch):
    monkeypatch.setattr(module, "is_network", lambda _: True)
    database = Database(file)
    assert database.rows("PRAGMA journal_mode")[0][0] == "delete"
    with database.transaction() as run_:
        run_.execute("CREATE TABLE x (y)")
        assert run_.execute("PRAGMA synchronous").fetchone()[0] == 3
    database.close()


def test_readers_of_other_threads_see_what_is_committed(file):
    from concurrent.futures import ThreadPoolExecutor

    database = Database(file)
    with database.transaction() as run_:
        run_.execute("CREATE TABLE x (y)")

    def seen(_=None):
        return database.rows("SELECT count(*) FROM x")[0][0]

    with ThreadPoolExecutor(8) as pool:
        with database.transaction() as run_:
            run_.execute("INSERT INTO x VALUES (1)")
            assert seen() == 1
            assert set(pool.map(seen, range(50))) == {0}
        assert set(pool.map(seen, range(50))) == {1}
        writes = count(2)

        def write(_):
            with database.transaction() as run_:
                run_.execute("INSERT INTO x VALUES (?)", (next(writes),))

        list(pool.map(write, range(50)))
    assert seen() == 51
    database.close()
