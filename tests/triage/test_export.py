"""Verdicts on their way out, read back by others than who wrote them."""

import base64
import csv
import io
import json
import os
import stat
from pathlib import Path
from xml.dom import minidom

import pytest

from glm4v_tui.errors import UsageError
from glm4v_tui.store.database import Database
from glm4v_tui.triage.export.folders import write_folders
from glm4v_tui.triage.export.history import History, write_history_csv, write_history_jsonl
from glm4v_tui.triage.export.one_each import one_each
from glm4v_tui.triage.export.rows import Rows
from glm4v_tui.triage.export.sidecars import Rate, Sidecars, rates_of
from glm4v_tui.triage.export.tables import write_csv, write_jsonl
from glm4v_tui.triage.export.xmp import RefusedError, Wanted, with_verdict
from glm4v_tui.triage.queue import Queue
from tests.triage.reviews import PrivateSort, Sort, images_in, review_of

NOTE = '=1+1, "quoted"\nsecond line; größe'


@pytest.fixture
def database(tmp_path):
    return tmp_path / "db.sqlite3"


@pytest.fixture
def folder(tmp_path, database):
    return reviewed(images_in(tmp_path / "parts", ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]), database)


def reviewed(folder, database, task=None):
    """a good, b bad with a flag and a note, c skipped, d untouched."""
    review = review_of(folder, database, task=task, said={"a.jpg": ("bad", 0.625)})
    review.give("good", seconds=2.5)
    review.queue.go(1)
    review.give("bad")
    review.flag()
    review.note(NOTE)
    review.queue.go(2)
    review.skip()
    return folder


def rows_of(folder, database, task=None, **more):
    return Rows(Database(database), task or Sort(), Queue.of([folder]), **more)


def written(write, rows, task=None):
    out = io.BytesIO()
    write(rows, task or Sort(), out)
    return out.getvalue()


# Tables -----------------------------------------------------------------------------------------


def test_json_lines(folder, database):
    lines = written(write_jsonl, rows_of(folder, database)).splitlines()
    told = [json.loads(line) for line in lines]
    assert [Path(one["path"]).name for one in told] == ["a.jpg", "b.jpg", "c.jpg"]
    first, second, third = told
    assert (first["label"], first["model_label"], first["probability"]) == ("good", "bad", 0.625)
    assert (first["seconds"], first["reviewer"], first["at"][-6:]) == (2.5, "ann", "+00:00")
    assert (second["note"], second["is_flagged"]) == (NOTE, True)
    assert (third["label"], third["is_skipped"]) == (None, True)
    assert first["notice"] == "Only a test."


def test_csv_as_another_reader_sees_it(folder, database):
    data = written(write_csv, rows_of(folder, database))
    told = list(csv.DictReader(io.StringIO(data.decode(), newline=""), strict=True))
    assert [one["label"] for one in told] == ["good", "bad", ""]
    assert told[1]["note"] == f"'{NOTE}"
    assert (told[1]["is_flagged"], told[0]["is_flagged"]) == ("1", "0")
    assert data.count(b"\r\n") == 4  # line ends of rows; the note has one of its own


@pytest.mark.parametrize(
    "note", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1"]
)
def test_no_cell_is_a_formula(folder, database, note):
    review = review_of(folder, database)
    review.note(note)
    told = list(csv.reader(io.StringIO(written(write_csv, rows_of(folder, database)).decode())))
    assert all(not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))
               for row in told for cell in row)  # fmt: skip


def test_all_images_where_that_is_wanted(folder, database):
    lines = written(write_jsonl, rows_of(folder, database, is_all=True)).splitlines()
    assert len(lines) == 4
    assert json.loads(lines[3])["label"] is None


def test_what_was_taken_back_is_not_exported(folder, database):
    review = review_of(folder, database)
    while review.undo():
        pass
    assert written(write_jsonl, rows_of(folder, database)) == b""


def test_a_private_task_tells_no_path(tmp_path, database):
    task = PrivateSort()
    folder = reviewed(images_in(tmp_path / "patients", ["a.jpg", "b.jpg", "c.jpg"]), database, task)
    for write in (write_csv, write_jsonl):
        data = written(write, rows_of(folder, database, task), task)
        assert b"patients" not in data
        assert b"a.jpg" not in data
        assert data.count(b"\n") >= 3


def test_a_name_that_is_no_text_comes_back(tmp_path, database):
    folder = images_in(tmp_path / "odd", [])
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/\xff.jpg"))
    odd.write_bytes(b"x")
    review_of(folder, database).give("good")
    told = json.loads(written(write_jsonl, rows_of(folder, database)))
    assert told["path"].endswith("\\xff.jpg")
    assert base64.b64decode(told["path_base64"]) == os.fsencode(odd)
    assert b"\\xff.jpg" in written(write_csv, rows_of(folder, database))


def test_files_that_went_away_are_told(folder, database):
    rows = rows_of(folder, database)
    (folder / "a.jpg").unlink()
    assert len(written(write_jsonl, rows).splitlines()) == 2
    assert "a.jpg" in rows.notices[0]


# Folders ----------------------------------------------------------------------------------------


def test_folders_of_links(folder, database, tmp_path):
    out = tmp_path / "sorted"
    assert write_folders(rows_of(folder, database), out) == 2
    assert (out / "good" / "a.jpg").readlink() == folder / "a.jpg"
    assert (out / "bad" / "b.jpg").read_bytes() == (folder / "b.jpg").read_bytes()
    assert sorted(path.name for path in out.rglob("*.jpg")) == ["a.jpg", "b.jpg"]
    assert len(list(folder.iterdir())) == 4  # nothing was moved


def test_folders_of_copies(folder, database, tmp_path):
    out = tmp_path / "sorted"
    out.mkdir()
    write_folders(rows_of(folder, database), out, copies=True)
    copy = out / "good" / "a.jpg"
    assert not copy.is_symlink()
    assert copy.stat().st_mtime == (folder / "a.jpg").stat().st_mtime


def test_a_folder_with_something_in_it_is_refused(folder, database, tmp_path):
    out = tmp_path / "sorted"
    images_in(out, ["mine.jpg"])
    with pytest.raises(UsageError, match="not empty"):
        write_folders(rows_of(folder, database), out)
    assert [path.name for path in out.iterdir()] == ["mine.jpg"]


def test_nothing_is_left_of_folders_that_fail(folder, database, tmp_path):
    rows = list(rows_of(folder, database))
    (folder / "b.jpg").unlink()
    with pytest.raises(UsageError, match="No such file"):
        write_folders(rows, tmp_path / "sorted", copies=True)
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("db")) == [
        "parts"
    ]


def test_files_of_one_name_and_labels_that_are_paths(tmp_path, database):
    class Odd(Sort):
        labels = (*Sort.labels, type(Sort.labels[0])("../up"))

    images_in(tmp_path / "parts" / "one", ["a.jpg"])
    (tmp_path / "parts" / "two").mkdir()
    (tmp_path / "parts" / "two" / "A.jpg").write_bytes(b"another")
    review = review_of(tmp_path / "parts", database, task=Odd(), recursive=True)
    review.give("../up")
    review.advance()
    review.give("../up")
    rows = Rows(Database(database), Odd(), Queue.of([tmp_path / "parts"], recursive=True))
    out = tmp_path / "sorted"
    assert write_folders(rows, out) == 2
    (only,) = out.iterdir()
    assert only.parent == out
    assert len(list(only.iterdir())) == 2


# XMP --------------------------------------------------------------------------------------------

LIGHTROOM = b"""<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Adobe XMP Core 7.0">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <!-- a comment of somebody -->
  <rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/"
    xmlns:dc="http://purl.org/dc/elements/1.1/" xmp:Rating="3" crs:Exposure2012="+0.35">
   <dc:subject><rdf:Bag><rdf:li>holiday</rdf:li></rdf:Bag></dc:subject>
   <dc:title><rdf:Alt><rdf:li xml:lang="x-default">A &amp; B</rdf:li></rdf:Alt></dc:title>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""
XMP = "http://ns.adobe.com/xap/1.0/"
DM = "http://ns.adobe.com/xmp/1.0/DynamicMedia/"
DC = "http://purl.org/dc/elements/1.1/"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"


def read_xmp(packet):
    """(rating, pick, keywords) as another parser finds them."""
    document = minidom.parseString(packet)
    described = document.getElementsByTagNameNS(RDF, "Description")
    values = [
        next((one.getAttributeNS(space, name) for one in described
              if one.hasAttributeNS(space, name)), None)
        for space, name in ((XMP, "Rating"), (DM, "pick"))
    ]  # fmt: skip
    items = [
        item.firstChild.data
        for subject in document.getElementsByTagNameNS(DC, "subject")
        for item in subject.getElementsByTagNameNS(RDF, "li")
    ]
    return *values, items


def test_a_new_sidecar():
    packet = with_verdict(None, Wanted("sort:good", 5, 1))
    assert read_xmp(packet) == ("5", "1", ["sort:good"])
    assert packet.startswith(b"<?xpacket begin=")


def test_what_this_program_wrote_is_replaced():
    packet = with_verdict(None, Wanted("sort:good", 5, 1))
    again = with_verdict(packet, Wanted("sort:bad", -1, -1))
    assert read_xmp(again) == ("-1", "-1", ["sort:bad"])
    assert read_xmp(with_verdict(again, Wanted())) == (None, None, [])
    assert with_verdict(again, Wanted("sort:bad", -1, -1)) == again


def test_another_program_keeps_what_it_wrote():
    packet = with_verdict(LIGHTROOM, Wanted("sort:good", None, 1))
    assert read_xmp(packet) == ("3", "1", ["holiday", "sort:good"])
    for kept in (b"a comment of somebody", b'crs:Exposure2012="+0.35"', b"A &amp; B", b"x:xmptk"):
        assert kept in packet
    assert read_xmp(with_verdict(packet, Wanted())) == ("3", None, ["holiday"])


def test_another_program_that_says_otherwise_is_not_overruled():
    with pytest.raises(RefusedError, match="Rating 3, not 5"):
        with_verdict(LIGHTROOM, Wanted(None, 5, None))
    same = with_verdict(LIGHTROOM, Wanted("sort:good", 3, None))
    assert read_xmp(with_verdict(same, Wanted()))[0] == "3"  # it never was this program's


def test_nothing_to_say_changes_no_byte():
    assert with_verdict(LIGHTROOM, Wanted()) == LIGHTROOM


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (b"", "no XML"),
        (b"<a/>", "no XMP"),
        (b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>", "no RDF"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "document type"),
        (LIGHTROOM[:300], "no XML"),
        (b"\xff\xfe\x00", "no XML"),
        (LIGHTROOM.replace(b"rdf:Bag", b"rdf:Huh"), "no bag"),
    ],
)
def test_what_is_no_xmp_is_left_alone(packet, reason):
    with pytest.raises(RefusedError, match=reason):
        with_verdict(packet, Wanted("sort:good"))


def test_sidecars_beside_images(folder, database):
    (folder / "b.jpg.xmp").write_bytes(LIGHTROOM)
    (folder / "b.jpg.xmp").chmod(0o640)
    rates = rates_of(["good=pick", "good=5", "bad=reject"], ["good", "bad"])
    assert rates == {"good": Rate(5, 1), "bad": Rate(-1, -1)}
    sidecars = Sidecars(Sort(), {"good": Rate(5, 1)})
    assert sidecars.write(rows_of(folder, database)) == 2
    assert read_xmp((folder / "a.jpg.xmp").read_bytes()) == ("5", "1", ["sort:good"])
    flagged = folder / "b.jpg.xmp"
    assert read_xmp(flagged.read_bytes()) == ("3", "1", ["holiday", "sort:bad"])
    assert stat.S_IMODE(flagged.stat().st_mode) == 0o640
    assert not (folder / "c.jpg.xmp").exists()
    assert sidecars.notices == []


def test_a_sidecar_that_is_refused_stays_and_is_told(folder, database):
    (folder / "a.jpg.xmp").write_bytes(LIGHTROOM)
    sidecars = Sidecars(Sort(), {"good": Rate(5)})
    assert sidecars.write(rows_of(folder, database)) == 1
    assert (folder / "a.jpg.xmp").read_bytes() == LIGHTROOM
    assert "a.jpg.xmp is left as it is: it says Rating 3, not 5" in sidecars.notices[0]


def test_names_of_adobe_are_refused_where_two_images_would_share_one(tmp_path, database):
    folder = images_in(tmp_path / "parts", ["a.jpg", "a.png"])
    review = review_of(folder, database)
    review.give("good")
    assert Sidecars(Sort(), is_adobe=True).write(rows_of(folder, database)) == 1
    assert (folder / "a.xmp").exists()
    review.advance()
    review.give("good")
    with pytest.raises(UsageError, match="share"):
        Sidecars(Sort(), is_adobe=True).write(rows_of(folder, database))


@pytest.mark.parametrize("wrong", ["good", "good=6", "splendid=1", "good=", "=1"])
def test_rates_that_cannot_be_understood(wrong):
    with pytest.raises(UsageError, match="--rate"):
        rates_of([wrong], ["good", "bad"])


# Several reviewers ------------------------------------------------------------------------------


@pytest.fixture
def disputed(folder, database):
    """As ann has left it; bob says bad of a, as she of b, nothing of c."""
    review = review_of(folder, database, reviewer="bob")
    for _ in range(2):
        review.give("bad")
        review.advance()
    return folder


def test_a_row_for_each_image_and_reviewer(disputed, database):
    rows = rows_of(disputed, database)
    told = [json.loads(line) for line in written(write_jsonl, rows).splitlines()]
    assert [(Path(one["path"]).name, one["reviewer"], one["label"]) for one in told] == [
        ("a.jpg", "ann", "good"),
        ("a.jpg", "bob", "bad"),
        ("b.jpg", "ann", "bad"),
        ("b.jpg", "bob", "bad"),
        ("c.jpg", "ann", None),
    ]
    assert rows.images == 3
    assert [row.verdict.label for row in rows_of(disputed, database, reviewer="bob")] == ["bad"] * 2


def test_a_flag_alone_has_its_reviewer(folder, database):
    review_of(folder, database, reviewer="bob").flag()
    rows = rows_of(folder, database, reviewer="bob")
    assert [(row.verdict.reviewer, row.verdict.is_flagged) for row in rows] == [("bob", True)]


def test_a_reviewer_that_nobody_knows_is_told(folder, database):
    rows = rows_of(folder, database, reviewer="amn")
    assert list(rows) == []
    assert rows.notices == ["There is nothing of amn; there is of: ann."]


def test_one_label_an_image_is_refused_where_reviewers_disagree(disputed, database):
    with pytest.raises(UsageError, match="1 image has more than one label") as refused:
        one_each(rows_of(disputed, database))
    assert "--reviewer: ann, bob" in refused.value.remedy
    assert [row.verdict.label for row in one_each(rows_of(disputed, database, reviewer="ann"))] == [
        "good", "bad", None,
    ]  # fmt: skip


def test_reviewers_that_agree_are_one(folder, database):
    review = review_of(folder, database, reviewer="bob")
    review.give("good")
    review.flag()
    review.queue.go(2)
    review.give("bad")  # which ann has skipped
    first, _, third = one_each(rows_of(folder, database))
    assert (first.verdict.label, first.verdict.is_flagged) == ("good", True)
    assert third.verdict.label == "bad"


def test_an_automatic_label_gives_way(folder, database):
    review = review_of(folder, database, reviewer="bob")
    review.learn(0, next(iter(rows_of(folder, database))).digest, "bad", 0.99)
    review.queue.go(1)
    assert review.automatic.start(0.9) == 1
    assert one_each(rows_of(folder, database))[0].verdict.label == "good"


def test_every_event_in_its_order(disputed, database):
    review = review_of(disputed, database)
    review.undo()
    history = History(Database(database), Sort(), Queue.of([disputed]))
    out = io.BytesIO()
    assert write_history_jsonl(history, out) == 8
    told = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [(one["reviewer"], one["kind"], one["label"]) for one in told] == [
        ("ann", "label", "good"),
        ("ann", "label", "bad"),
        ("ann", "flag", None),
        ("ann", "note", None),
        ("ann", "skip", None),
        ("bob", "label", "bad"),
        ("bob", "label", "bad"),
        ("ann", "undo", None),
    ]
    assert told[-1]["cancels"] == told[4]["event"]
    assert told[-1]["path"] == str(disputed / "c.jpg")  # undo is kept without a path
    out = io.BytesIO()
    history.reviewer = "bob"
    assert write_history_csv(history, out) == 2
    assert {one["reviewer"] for one in csv.DictReader(io.StringIO(out.getvalue().decode()))} == {
        "bob"
    }


def test_the_history_of_a_private_task_tells_no_path(tmp_path, database):
    task = PrivateSort()
    folder = reviewed(images_in(tmp_path / "patients", ["a.jpg", "b.jpg", "c.jpg"]), database, task)
    for write in (write_history_csv, write_history_jsonl):
        out = io.BytesIO()
        assert write(History(Database(database), task, Queue.of([folder])), out) == 5
        assert b"patients" not in out.getvalue()
