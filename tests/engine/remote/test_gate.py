"""What may leave this machine, who is asked before, and what is kept of it."""

import ast
import hashlib
import io
from pathlib import Path

import pytest
from PIL import Image

import glm4v_tui.engine
from glm4v_tui.config import PluginSettings
from glm4v_tui.engine.protocol import (
    Failed,
    Finished,
    LeavingImage,
    RgbImage,
    SendingWanted,
    error_of,
)
from glm4v_tui.engine.remote.address import Address
from glm4v_tui.engine.remote.gate import Cleared, Encoded, Gate
from glm4v_tui.engine.sending import sending_words
from glm4v_tui.engine_settings import RemoteSettings
from glm4v_tui.errors import StoreError, WithheldError
from glm4v_tui.images import open_image
from glm4v_tui.images.readers import install_readers, installed_readers
from glm4v_tui.store.database import Database
from glm4v_tui.store.sent import Sent, SentImage
from glm4v_tui.tasks.plugins import load_plugins
from tests.chat_server import ChatServer, answer, models
from tests.engine.remote.conftest import IMAGE, MemoryLedger

FAR = "http://gpu.example"


@pytest.fixture
async def far(monkeypatch):
    """A server that is reached as another host: everything for it arrives here."""
    server = ChatServer({f"{FAR}/v1/models": models("m"), f"{FAR}/v1/chat/completions": answer()})
    await server.start()
    monkeypatch.setenv("http_proxy", server.url)
    yield server
    await server.stop()


async def test_never_is_never(far, person_at):
    person = person_at(FAR, send_images="never", asks=True)
    await person.load()
    _, end = await person.ask("?", await person.show())
    assert isinstance(error_of(end), WithheldError)
    assert far.questions == []
    assert person.ledger.sent == []
    assert (await person.ask("And without?", name="2"))[0] == "A cat."


async def test_the_first_image_for_a_host_asks_and_says_what_leaves(far, person_at):
    person = person_at(FAR, asks=True)
    await person.load()
    shown = await person.show()
    await person.say("?", shown)
    wanted = await person.until(SendingWanted, Finished, Failed)
    (leaving,) = wanted.images
    assert (wanted.host, leaving.width, leaving.height) == ("gpu.example", 4, 3)
    assert leaving.mime == "image/png"
    assert "not encrypted on the way" in wanted.warnings
    assert far.questions == []  # nothing went while it was asked
    await person.engine.allow_sending("1", allows=True)
    assert isinstance(await person.until(Finished, Failed), Finished)
    await person.ask("Again?", shown, name="2")
    assert sum(isinstance(one, SendingWanted) for one in person.heard) == 1


async def test_who_says_no_keeps_the_image_here(far, person_at):
    person = person_at(FAR, asks=True)
    await person.load()
    shown = await person.show()
    for name in ("1", "2"):  # a no is for this question: the next one asks again
        await person.say("?", shown, name=name)
        await person.until(SendingWanted)
        await person.engine.allow_sending(name, allows=False)
        assert isinstance(error_of(await person.until(Failed, Finished)), WithheldError)
    assert far.questions == []


async def test_a_question_that_waits_for_consent_can_be_stopped(far, person_at):
    person = person_at(FAR, asks=True)
    await person.load()
    await person.say("?", await person.show())
    await person.until(SendingWanted)
    await person.engine.abort("1")
    assert isinstance(await person.until(Finished, Failed), Finished)
    await person.engine.allow_sending("1", allows=True)  # too late, and harmless
    assert far.questions == []
    assert person.ledger.hosts == set()


async def test_several_questions_at_a_time_ask_once(far, person_at):
    person = person_at(FAR, asks=True)
    await person.load()
    shown = await person.show()
    for name in "123":
        await person.say("?", shown, name=name)
    wanted = await person.until(SendingWanted)
    await person.engine.allow_sending(wanted.request_id, allows=True)
    for _ in range(3):
        await person.until(Finished)
    assert sum(isinstance(one, SendingWanted) for one in person.heard) == 1


async def test_where_nobody_can_be_asked_nothing_leaves(far, person_at):
    person = person_at(FAR)
    await person.load()
    _, end = await person.ask("?", await person.show())
    assert "--send-images allow" in end.remedy
    assert far.questions == []


async def test_this_machine_needs_no_question_and_no_record(server, person_at):
    person = person_at(server.url, asks=True)
    await person.load()
    _, end = await person.ask("?", await person.show())
    assert isinstance(end, Finished)
    assert person.ledger.sent == []


async def test_what_is_sent_is_kept_before_it_is_sent(far, person_at):
    person = person_at(FAR, send_images="allow")
    await person.load()
    await person.ask("?", await person.show())
    (sent,) = person.ledger.sent
    data = Gate("x", RemoteSettings(FAR, "m"), Address.of(FAR), MemoryLedger).encode(IMAGE).data
    assert (sent.host, sent.engine, sent.model) == ("gpu.example", "there", "m")
    assert (sent.digest, sent.source) == (hashlib.sha256(data).hexdigest(), "a")
    assert (sent.width, sent.height, sent.size) == (4, 3, len(data))


async def test_where_it_cannot_be_kept_nothing_leaves(far, person_at):
    class Full(MemoryLedger):
        def note(self, images):
            raise StoreError("The disk is full", "/x", "Make room.")

    person = person_at(FAR, send_images="allow", ledger=Full())
    await person.load()
    _, end = await person.ask("?", await person.show())
    assert "so nothing is" in end.title
    assert far.questions == []


@pytest.mark.parametrize(
    ("allowed", "goes"), [((), False), (("retail",), False), (("medical",), True)]
)
async def test_private_tasks_stay_here_unless_they_are_named(far, person_at, allowed, goes):
    person = person_at(FAR, send_images="allow", private_tasks=allowed)
    await person.load()
    _, end = await person.ask("?", await person.show(), private_task="medical")
    assert isinstance(end, Finished) is goes
    assert bool(far.questions) is goes


@pytest.mark.parametrize(("allowed", "goes"), [((), False), (("medical",), True)])
async def test_an_image_that_a_private_task_was_asked_about_stays_private(
    far, person_at, allowed, goes
):
    ledger = MemoryLedger()
    person = person_at(FAR, send_images="allow", private_tasks=allowed, ledger=ledger)
    await person.load()
    shown = await person.show()
    ledger.private = {shown.digest.partition(" ")[0]: "medical"}
    _, end = await person.ask("?", shown)
    assert isinstance(end, Finished) is goes
    assert bool(far.questions) is goes
    if not goes:
        assert "the task is private" in end.body


async def test_also_the_words_of_private_tasks_stay_here(far, person_at):
    person = person_at(FAR, send_images="allow")
    await person.load()
    _, end = await person.ask("The report says ...", private_task="medical")
    assert 'private_tasks = ["medical"]' in end.remedy
    assert far.questions == []


async def test_private_tasks_may_ask_a_server_on_this_machine(server, person_at):
    person = person_at(server.url)
    await person.load()
    _, end = await person.ask("?", await person.show(), private_task="medical")
    assert isinstance(end, Finished)


# What is in the bytes ---------------------------------------------------------------------------

FORBIDDEN = [b"Exif", b"GPS", b"DICM", b"someone", b"Secret", b"Doe^Jane", b"http://ns.adobe.com"]


@pytest.mark.parametrize("encoding", ["png", "jpeg"])
@pytest.mark.usefixtures("readers")
async def test_no_byte_of_metadata_arrives(far, person_at, tmp_path, monkeypatch, encoding):
    """The files are full of it; the bodies are searched for it, encoded and decoded."""
    monkeypatch.setenv("USER", "someone")
    person = person_at(FAR, send_images="allow", image_format=encoding)
    await person.load()
    for number, file in enumerate((_photo(tmp_path), _dicom(tmp_path))):
        whole = file.read_bytes()
        assert any(word in whole for word in FORBIDDEN)
        opened = open_image(file)
        picture = opened.image.convert("RGB")
        key = opened.attachment.key
        pixels = RgbImage(picture.width, picture.height, picture.tobytes())
        await person.engine.put_image(key, pixels)
        _, end = await person.ask("?", opened.attachment, name=str(number))
        assert isinstance(end, Finished)
    assert len(far.questions) == 2
    for question in far.questions:
        head = repr(question.headers).encode()
        part = question.json["messages"][0]["content"][0]["image_url"]["url"]
        picture = _decoded(part)
        for word in FORBIDDEN:
            assert word not in question.body
            assert word not in head
            assert word not in picture
        told = set(Image.open(io.BytesIO(picture)).info)
        assert told <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


@pytest.fixture
def readers():
    """Those of the installed plugins: of DICOM files, too."""
    before = installed_readers()
    load_plugins(PluginSettings(), [])
    yield
    install_readers(before)


def _decoded(url):
    import base64

    return base64.b64decode(url.partition(";base64,")[2])


def _photo(folder):
    """A photo as a phone writes it: EXIF with a place and an owner, and a comment."""
    exif = Image.Exif()
    exif[0x013B] = "someone"  # Artist
    exif[0x8769] = {0x9286: b"ASCII\0\0\0Secret"}  # UserComment
    exif[0x8825] = {1: "N", 2: (52.0, 31.0, 12.0), 29: "GPS 2026:01:01"}
    file = folder / "Secret Plan of someone.jpg"
    Image.new("RGB", (40, 30), "red").save(file, exif=exif, comment=b"Secret")
    return file


def _dicom(folder):
    import numpy as np
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    data.PatientName, data.SOPClassUID = "Doe^Jane", SecondaryCaptureImageStorage
    data.SOPInstanceUID, data.Modality = meta.MediaStorageSOPInstanceUID, "OT"
    data.Rows, data.Columns, data.SamplesPerPixel = 20, 30, 1
    data.PhotometricInterpretation, data.PixelRepresentation = "MONOCHROME2", 0
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit = 7
    data.PixelData = np.arange(600, dtype=np.uint16).astype(np.uint8).tobytes()
    file = folder / "Secret scan.dcm"
    data.save_as(file, enforce_file_format=True)
    return file


# One way out ------------------------------------------------------------------------------------


def test_only_the_gate_encodes_images_or_reads_their_pixels():
    """The engines elsewhere, read as source: nothing else could let an image out."""
    folder = Path(glm4v_tui.engine.__file__).parent / "remote"
    for file in folder.glob("*.py"):
        tree = ast.parse(file.read_text())
        names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        plain = (node.names for node in ast.walk(tree) if isinstance(node, ast.Import))
        modules = {one.name.split(".")[0] for names_ in plain for one in names_}
        froms = (node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
        modules |= {(module or "").split(".")[0] for module in froms}
        lets_out = bool(modules & {"PIL", "base64", "binascii"} or names & {"pixels", "b64encode"})
        assert lets_out is (file.name == "gate.py"), file.name


def test_nobody_else_makes_a_cleared_image():
    with pytest.raises(TypeError):
        Cleared(Encoded(b"", "image/png", 1, 1), object())


# In the database --------------------------------------------------------------------------------


def test_the_record_is_in_the_database(tmp_path):
    sent = Sent(Database(tmp_path / "x.db"))
    one = SentImage("gpu.example", "there", "m", "aa", "bb", 4, 3, 99)
    sent.note([one, SentImage("gpu.example", "there", "m", "cc", "dd", 1, 1, 1)])
    assert [image.source for image in sent.all()] == ["aa", "cc"]
    (found,) = sent.all("aa")
    assert found.at > 1_700_000_000
    assert (found.host, found.digest, found.size) == ("gpu.example", "bb", 99)


def test_a_host_is_allowed_until_it_is_not(tmp_path):
    sent = Sent(Database(tmp_path / "x.db"))
    sent.allow("gpu.example")
    assert sent.is_allowed("gpu.example")
    assert not sent.is_allowed("other.example")
    assert Sent(Database(tmp_path / "x.db")).allowed() == ["gpu.example"]
    assert sent.forbid("gpu.example")
    assert not sent.is_allowed("gpu.example")
    assert not sent.forbid("gpu.example")


def test_what_a_private_task_was_asked_about_is_remembered(tmp_path):
    sent = Sent(Database(tmp_path / "x.db"))
    sent.keep_private({"aa", "bb"}, "medical")
    sent.keep_private({"bb"}, "other")
    again = Sent(Database(tmp_path / "x.db"))
    assert [again.private_task_of(one) for one in ("aa", "bb", "cc")] == ["medical", "medical", ""]


# In words ---------------------------------------------------------------------------------------


def test_what_leaves_is_told_exactly_and_safely():
    png, jpeg = (LeavingImage(640, 480, 1_500_000, f"image/{kind}") for kind in ("png", "jpeg"))
    wanted = SendingWanted("1", "gpu\x1b[31m.example", (png,), ("not encrypted on the way",))
    assert sending_words(wanted) == (
        "Send 1 image to gpu.example? What leaves: pixels (640×480), re-encoded as PNG (1.5 MB), "
        "without EXIF, GPS, DICOM header or file name. Not encrypted on the way."
    )
    many = sending_words(SendingWanted("1", "h", (png, jpeg, png, png, png)))
    assert "Send 5 images" in many
    assert "pixels (640×480, 640×480, 640×480 and 2 more)" in many
    assert "PNG and JPEG (7.5 MB)" in many
    small = LeavingImage(160, 120, 342, "image/png")
    assert "PNG (1 KB)" in sending_words(SendingWanted("1", "h", (small,)))
