"""Results in files."""

import io
import json

from glm4v_tui.chat import Box
from glm4v_tui.tasks.export import JSONL, Record

ONE = Record("look", "1", "aa" * 32, 10, 20, {"text": "two\nlines \u2028 größe \x85"}, "/ä b.png")


def written(*records):
    out = io.BytesIO()
    JSONL.write(records, out)
    return out.getvalue()


def test_every_record_is_one_line_of_json():
    lines = written(ONE, ONE).split(b"\n")
    assert lines[-1] == b""
    assert [json.loads(line)["result"] for line in lines[:-1]] == [ONE.result, ONE.result]


def test_a_record_without_a_path_says_so():
    told = json.loads(written(Record("look", "1", "aa", 1, 2, None, crop=Box(1, 2, 3, 4))))
    assert (told["path"], told["crop"], told["result"]) == (None, [1, 2, 3, 4], None)


def test_no_records_are_an_empty_file():
    assert written() == b""
