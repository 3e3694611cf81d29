"""``glm4v-tui model`` as its user runs it, against a hub on this host."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from glm4v_tui.checkpoint.saved import ABOUT
from tests.checkpoints import make_glm4v
from tests.fake_hub import COMMIT, EXTRAS, HUB_ID, FakeHub, Fault, digest, environment, serving

WEIGHTS = "model-00001-of-00002.safetensors"


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return make_glm4v(tmp_path_factory.mktemp("model") / "tiny", shards=2)


@pytest.fixture
def hub(shards):
    with serving(shards) as hub:
        yield hub


class User:
    """Runs commands with caches of their own."""

    def __init__(self, home: Path, endpoint: str) -> None:
        self.home, self.endpoint = home, endpoint

    def __call__(self, *arguments: str, text: str = "", **variables: str):
        return subprocess.run(
            [sys.executable, "-m", "glm4v_tui", *arguments],
            env=environment(self.endpoint, self.home, **variables),
            input=text,
            capture_output=True,
            text=True,
            timeout=90,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "glm4v_tui", *arguments],
            env=environment(self.endpoint, self.home),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Where the tests run in the background, a shell has them ignore it, and with them this.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    @property
    def repository(self) -> Path:
        return self.home / "hf" / "hub" / f"models--{HUB_ID.replace('/', '--')}"

    @property
    def snapshot(self) -> Path:
        return self.repository / "snapshots" / COMMIT

    @property
    def own_cache(self) -> Path:
        return self.home / "own" / "cache"


@pytest.fixture
def user(tmp_path, hub):
    return User(tmp_path, hub.url)


# pull -------------------------------------------------------------------------------------------


def test_pull_prints_the_folder_of_a_whole_model_without_what_nobody_needs(user, hub, shards):
    done = user("model", "pull", HUB_ID)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{user.snapshot}\n"
    assert "every checksum is right" in done.stderr
    names = {file.name for file in user.snapshot.iterdir()}
    assert names == {file.name for file in shards.iterdir()}
    assert not any(name in request for request in hub.asked for name in EXTRAS)
    for file in shards.iterdir():
        assert (user.snapshot / file.name).read_bytes() == file.read_bytes()


def test_what_is_here_already_is_said(user, hub):
    user("model", "pull", HUB_ID)
    before = len(hub.given)
    again = user("model", "pull", HUB_ID)
    assert "All of it was here already." in again.stderr
    assert {name for name, _, _ in hub.given[before:]} <= {
        "config.json",
        "model.safetensors.index.json",
    }


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_pull_ended_in_the_middle_goes_on_with_the_rest(how, user, hub):
    size = len(hub.files[WEIGHTS])
    hub.faults[WEIGHTS] = [Fault(hang_after=size // 2)]
    process = user.start("model", "pull", HUB_ID)
    partial = user.repository / "blobs" / f"{digest(WEIGHTS, hub.files[WEIGHTS])}.incomplete"
    try:
        assert hub.hanging.wait(30)
        wait_for(lambda: partial.exists() and partial.stat().st_size > 0)
        process.send_signal(how)
        _, told = process.communicate(timeout=30)
    finally:
        process.kill()
    if how is signal.SIGINT:
        assert process.returncode == 130
        assert f"glm4v-tui model pull {HUB_ID} goes on there" in told
    here = partial.stat().st_size
    assert 0 < here <= size // 2
    hub.given.clear()
    done = user("model", "pull", HUB_ID)
    assert done.returncode == 0, done.stderr
    assert "of it here already" in done.stderr
    assert [one for one in hub.given if one[0] == WEIGHTS] == [(WEIGHTS, here, size - here)]
    assert (user.snapshot / WEIGHTS).read_bytes() == hub.files[WEIGHTS]


def wait_for(condition) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("more", [b"", b"more than there should be"])
def test_a_partial_file_that_has_all_its_bytes_is_checked_and_used(more, user, hub):
    """A process was killed between the last byte and the new name; or contents have mixed."""
    blobs = user.repository / "blobs"
    blobs.mkdir(parents=True)
    data = hub.files[WEIGHTS]
    (blobs / f"{digest(WEIGHTS, data)}.incomplete").write_bytes(data + more)
    done = user("model", "pull", HUB_ID)
    assert done.returncode == 0, done.stderr
    assert hub.bytes_given(WEIGHTS) == (len(data) if more else 0)
    assert (user.snapshot / WEIGHTS).read_bytes() == data


def test_a_connection_cut_in_the_middle_is_taken_up_again(user, hub):
    size = len(hub.files[WEIGHTS])
    hub.faults[WEIGHTS] = [Fault(cut_after=size // 3), Fault(cut_after=10)]
    done = user("model", "pull", HUB_ID)
    assert done.returncode == 0, done.stderr
    starts = [start for name, start, _ in hub.given if name == WEIGHTS]
    assert len(starts) == 3
    assert starts == sorted(starts)
    assert (user.snapshot / WEIGHTS).read_bytes() == hub.files[WEIGHTS]


def test_a_hub_that_is_busy_is_asked_again_when_it_says(user, hub):
    hub.faults[WEIGHTS] = [Fault(status=429, headers={"Retry-After": "0"}), Fault(status=503)]
    done = user("model", "pull", HUB_ID)
    assert done.returncode == 0, done.stderr


def test_a_hub_that_gives_the_whole_file_for_a_rest_does_not_damage_it(user, hub):
    size = len(hub.files[WEIGHTS])
    hub.faults[WEIGHTS] = [Fault(cut_after=size // 2), Fault(ignores_range=True)]
    done = user("model", "pull", HUB_ID)
    assert done.returncode == 0, done.stderr
    assert (user.snapshot / WEIGHTS).read_bytes() == hub.files[WEIGHTS]


def test_a_file_that_comes_damaged_is_fetched_again_and_then_refused(user, hub):
    hub.faults[WEIGHTS] = [Fault(is_corrupt=True)]
    assert user("model", "pull", HUB_ID).returncode == 0
    shutil.rmtree(user.repository)
    hub.faults[WEIGHTS] = [Fault(is_corrupt=True), Fault(is_corrupt=True)]
    done = user("model", "pull", HUB_ID)
    assert done.returncode == 4
    assert done.stderr.splitlines()[-3] == f"{WEIGHTS} came damaged twice"
    assert not user.snapshot.exists()


def test_a_truncated_blob_is_noticed_without_reading_it(user, hub):
    user("model", "pull", HUB_ID)
    os.truncate((user.snapshot / WEIGHTS).resolve(), 1000)
    assert user("model", "pull", HUB_ID).returncode == 0
    assert (user.snapshot / WEIGHTS).read_bytes() == hub.files[WEIGHTS]


def test_a_gated_model_says_how_to_get_it(user, hub):
    hub.is_gated = True
    done = user("model", "pull", HUB_ID)
    assert done.returncode == 4
    assert done.stderr.startswith("The hub does not give out this model without an account\n")
    assert "hf auth login" in done.stderr


def test_a_token_goes_to_the_hub_and_to_nobody_that_it_leads_to(user, hub, shards):
    with serving(shards) as cdn:
        hub.cdn = cdn.url
        done = user("model", "pull", HUB_ID, HF_TOKEN="hf_secret")
        assert done.returncode == 0, done.stderr
        assert cdn.bytes_given(WEIGHTS) == len(hub.files[WEIGHTS])
        assert cdn.authorized == []
    assert hub.authorized
    assert "hf_secret" not in done.stdout + done.stderr


def test_two_at_once_fetch_a_file_once(user, hub):
    size = len(hub.files[WEIGHTS])
    processes = [user.start("model", "pull", HUB_ID) for _ in range(2)]
    for process in processes:
        _, told = process.communicate(timeout=60)
        assert process.returncode == 0, told
    assert hub.bytes_given(WEIGHTS) == size


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("owner/other", "The hub has no such model"),
        (f"{HUB_ID}@v9", "The hub has no such revision of this model"),
    ],
)
def test_names_that_the_hub_does_not_know(name, title, user):
    done = user("model", "pull", name)
    assert (done.returncode, done.stderr.splitlines()[0]) == (4, title)


def test_a_model_that_has_moved_is_told_its_new_name(user, hub):
    hub.renamed = {"THUDM/tiny": HUB_ID}
    done = user("model", "pull", "THUDM/tiny")
    assert done.returncode == 0, done.stderr
    assert f"THUDM/tiny is called {HUB_ID} now" in done.stderr


@pytest.mark.parametrize(
    ("status", "title"),
    [
        (500, "The hub has trouble of its own"),
        (503, "The hub has trouble of its own"),
        (429, "The hub asks to come back later"),
        (403, "The hub refuses this account"),
        (401, "The hub refuses this account"),
    ],
)
def test_what_the_hub_answers_is_put_into_words(status, title, user, hub):
    hub.info_faults = [Fault(status=status)] * 9
    done = user("model", "pull", HUB_ID)
    assert (done.returncode, done.stderr.splitlines()[0]) == (4, title)


@pytest.mark.parametrize(
    ("variables", "title"),
    [
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, "The hub cannot be reached"),
        ({"HF_ENDPOINT": "http://no-such-host.invalid"}, "The name of the hub cannot be looked up"),
        ({"HF_ENDPOINT": "hf-mirror.com"}, "The address of the hub is none"),
        ({"HF_HUB_OFFLINE": "1"}, "The model is not in the cache, and the hub is switched off"),
    ],
)
def test_a_hub_out_of_reach_says_why(variables, title, user):
    done = user("model", "pull", HUB_ID, **variables)
    assert (done.returncode, done.stderr.splitlines()[0]) == (4, title), done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_whole_needs_no_hub_to_be_pulled(user):
    user("model", "pull", HUB_ID)
    done = user("model", "pull", HUB_ID, HF_HUB_OFFLINE="1")
    assert (done.returncode, done.stdout) == (0, f"{user.snapshot}\n")
    assert "as of an earlier download" in done.stderr


def test_checksums_that_would_be_paths_are_refused(user, hub, monkeypatch):
    monkeypatch.setattr("tests.fake_hub.digest", lambda _name, _data: "../../../escaped")
    done = user("model", "pull", HUB_ID)
    assert done.returncode == 4
    assert done.stderr.startswith("This is no model hub\n")
    assert not list(user.home.rglob("escaped*"))


@pytest.mark.parametrize("name", [f"{HUB_ID}@a/../../b", f"{HUB_ID}@../b"])
def test_revisions_that_would_be_paths_are_refused(name, user):
    assert user("model", "pull", name).returncode == 2


def test_plan_calls_a_cached_model_by_its_name(user):
    user("model", "pull", f"{HUB_ID}@v1")
    done = user("plan", f"{HUB_ID}@v1", "--context", "100")
    assert done.stdout.startswith("tiny: "), done.stderr


def test_doctor_says_what_a_cached_model_lacks(user):
    user("model", "pull", HUB_ID)
    os.truncate((user.snapshot / WEIGHTS).resolve(), 1000)
    done = user("doctor", HUB_ID)
    assert f"is in the cache, but not whole: {WEIGHTS} is truncated" in done.stdout
    assert f"glm4v-tui model pull {HUB_ID}" in done.stdout


def test_a_hub_without_tls_is_told_as_such(user, hub):
    done = user("model", "pull", HUB_ID, HF_ENDPOINT=hub.url.replace("http", "https"))
    assert done.stderr.splitlines()[0] == "The connection to the hub is not trusted"


def test_a_proxy_that_does_not_answer_is_told_as_such(user):
    done = user(
        "model", "pull", HUB_ID, HF_ENDPOINT="https://hub.invalid", HTTPS_PROXY="http://127.0.0.1:9"
    )
    assert done.returncode == 4
    assert done.stderr.splitlines()[0] in {
        "The proxy does not let the hub through",
        "The hub cannot be reached",
    }


@pytest.mark.parametrize(
    ("files", "title"),
    [
        ({"config.json": b'{"model_type": "glm4v"}', "a.bin": b""}, "The weights are not safe"),
        ({"model.gguf": b""}, "GGUF files are not supported"),
        ({"README.md": b""}, "This repository holds no model"),
        ({"config.json": b"{}", "model.safetensors": b""}, "config.json names no kind of model"),
        (
            {"config.json": b'{"model_type": "bert"}', "model.safetensors": b""},
            "Unknown kind of model",
        ),
        (
            {
                "config.json": b'{"model_type": "glm4v"}',
                "model.safetensors.index.json": b'{"weight_map": {"a": "b.safetensors"}}',
            },
            "The repository is not whole",
        ),
    ],
)
def test_a_repository_that_is_no_use_is_refused_before_its_weights_are_fetched(
    files, title, tmp_path
):
    hub = FakeHub(files)
    try:
        done = User(tmp_path, hub.url)("model", "pull", HUB_ID)
    finally:
        hub.close()
    assert done.returncode == 4
    assert done.stderr.startswith(title), done.stderr
    assert hub.bytes_given("model.safetensors") == 0


def test_a_disk_without_room_is_noticed_before_it_starts(tmp_path, shards):
    hub = FakeHub({file.name: file.read_bytes() for file in shards.iterdir()})
    code = (
        "import shutil, sys\n"
        "usage = shutil.disk_usage\n"
        "shutil.disk_usage = lambda path: usage(path)._replace(free=1000)\n"
        f"sys.argv = ['glm4v-tui', 'model', 'pull', '{HUB_ID}']\n"
        "from glm4v_tui.cli import main; main()"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment(hub.url, tmp_path),
            capture_output=True,
            text=True,
        )
    finally:
        hub.close()
    assert done.returncode == 4
    assert done.stderr.startswith("The disk has no room for this model\n")
    assert "HF_HOME" in done.stderr
    assert hub.bytes_given(WEIGHTS) == 0


def test_names_that_are_no_hub_ids_are_mistakes_of_the_command(user, shards):
    assert user("model", "pull", "nothing").returncode == 2
    assert "is a folder" in user("model", "pull", str(shards)).stderr


# verify -----------------------------------------------------------------------------------------


def test_verify_finds_one_changed_bit_names_the_file_and_mends_it_alone(user, hub):
    user("model", "pull", HUB_ID)
    assert user("model", "verify", HUB_ID).returncode == 0
    blob = (user.snapshot / WEIGHTS).resolve()
    data = bytearray(blob.read_bytes())
    data[-1] ^= 1
    blob.write_bytes(data)
    done = user("model", "verify", HUB_ID)
    assert done.returncode == 4
    assert f"damaged: {WEIGHTS}" in done.stdout
    assert f"glm4v-tui model verify {HUB_ID} --mend" in done.stdout
    hub.given.clear()
    mended = user("model", "verify", HUB_ID, "--mend")
    assert mended.returncode == 0, mended.stderr
    fetched = {name for name, _, _ in hub.given}
    assert fetched == {WEIGHTS, "config.json", "model.safetensors.index.json"}
    assert user("model", "verify", HUB_ID).returncode == 0


def test_verify_needs_no_hub_and_tells_json(user):
    user("model", "pull", HUB_ID)
    done = user("model", "verify", HUB_ID, "--json", HF_ENDPOINT="http://127.0.0.1:9")
    report = json.loads(done.stdout)
    assert report["whole"] is True
    assert {file["state"] for file in report["files"]} == {"ok"}


def test_a_missing_file_is_found_and_mended(user):
    user("model", "pull", HUB_ID)
    (user.snapshot / WEIGHTS).resolve().unlink()
    (user.snapshot / WEIGHTS).unlink()
    done = user("model", "verify", HUB_ID)
    assert done.returncode == 4
    assert f"wrong: {WEIGHTS} is missing" in done.stdout
    assert user("model", "verify", HUB_ID, "--mend").returncode == 0


def test_a_link_to_nothing_is_damage(user):
    user("model", "pull", HUB_ID)
    (user.snapshot / "tokenizer.json").resolve().unlink()
    done = user("model", "verify", HUB_ID)
    assert done.returncode == 4
    assert "damaged: tokenizer.json" in done.stdout


def test_a_folder_with_its_download_records_is_checked_by_them(user, shards, tmp_path):
    folder = Path(shutil.copytree(shards, tmp_path / "copy"))
    records = folder / ".cache" / "huggingface" / "download"
    records.mkdir(parents=True)
    seal = digest(WEIGHTS, (folder / WEIGHTS).read_bytes())
    (records / f"{WEIGHTS}.metadata").write_text(f"{COMMIT}\n{seal}\n1700000000.0\n")
    done = user("model", "verify", str(folder))
    assert done.returncode == 0
    assert "1 file" in done.stdout
    assert "no checksum is known" in done.stdout
    data = bytearray((folder / WEIGHTS).read_bytes())
    data[-1] ^= 1
    (folder / WEIGHTS).write_bytes(data)
    assert user("model", "verify", str(folder)).returncode == 4
    assert user("model", "verify", str(folder), "--mend").returncode == 2


# list and remove --------------------------------------------------------------------------------


def keep_weights(user: User, source: Path, precision: str = "int4", nbytes: int = 4096) -> Path:
    """What a load with keep_quantized leaves behind."""
    folder = user.own_cache / "weights" / f"{source.name}-{precision}-0123456789ab"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"0" * nbytes)
    about = {"source": str(source), "precision": precision, "dtype": "bf16", "made": 1.0}
    (folder / ABOUT).write_text(json.dumps(about))
    return folder


def test_list_tells_size_state_and_what_fits(user):
    done = user("model", "list")
    assert done.stdout.startswith("No model is in the cache yet.")
    user("model", "pull", HUB_ID)
    keep_weights(user, user.snapshot)
    done = user("model", "list", HF_HUB_OFFLINE="1")
    assert done.returncode == 0, done.stderr
    assert f"{HUB_ID}  " in done.stdout
    assert "whole: glm4v" in done.stdout
    assert "fits: " in done.stdout
    assert "saved int4 weights: 4." in done.stdout


def test_no_model_library_is_loaded_for_any_of_it(user):
    user("model", "pull", HUB_ID)
    code = (
        "import sys\n"
        "from glm4v_tui.commands.model import inventory, pull, verify\n"
        f"pull.run('{HUB_ID}'); inventory.run(as_json=True)\n"
        f"verify.run('{HUB_ID}', as_json=True, mend=False)\n"
        "heavy = {'torch', 'transformers', 'accelerate', 'bitsandbytes', 'textual'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(user.endpoint, user.home),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_list_as_json_has_what_a_script_needs(user, shards):
    user("model", "pull", HUB_ID)
    keep_weights(user, user.snapshot)
    keep_weights(user, shards, "int8")
    report = json.loads(user("model", "list", "--json").stdout)
    (model,) = report["models"]
    (revision,) = model["revisions"]
    assert (model["hub_id"], revision["refs"], revision["whole"]) == (HUB_ID, ["main"], True)
    assert model["nbytes"] >= sum(file.stat().st_size for file in shards.iterdir())
    assert [saved["precision"] for saved in revision["saved"]] == ["int4"]
    assert [saved["precision"] for saved in report["other_saved"]] == ["int8"]
    assert "bf16" in revision["fits"]


def test_list_tells_a_download_that_was_not_finished(user, hub):
    hub.faults[WEIGHTS] = [Fault(cut_after=5000), *[Fault(status=404)] * 9]
    assert user("model", "pull", HUB_ID).returncode == 4
    done = user("model", "list")
    assert "of a download that was not finished" in done.stdout
    assert f"glm4v-tui model pull {HUB_ID} goes on with it" in done.stdout


def test_remove_frees_the_model_and_what_was_saved_of_it_and_nothing_else(user, shards):
    user("model", "pull", HUB_ID)
    saved, other = keep_weights(user, user.snapshot), keep_weights(user, shards, "int8")
    refused = user("model", "remove", HUB_ID)
    assert refused.returncode == 2
    assert user.snapshot.exists()
    done = user("model", "remove", HUB_ID, "--yes")
    assert done.returncode == 0, done.stderr
    assert "are free again" in done.stdout
    assert not user.repository.exists()
    assert not saved.exists()
    assert other.exists()


def test_remove_of_a_folder_takes_only_what_was_saved_of_it(user, shards):
    saved = keep_weights(user, shards)
    before = sorted(file.name for file in shards.iterdir())
    assert user("model", "remove", str(shards), "--yes").returncode == 0
    assert not saved.exists()
    assert sorted(file.name for file in shards.iterdir()) == before
    assert user("model", "remove", str(shards), "--yes").returncode == 2


def test_saved_weights_can_go_alone(user):
    user("model", "pull", HUB_ID)
    saved = keep_weights(user, user.snapshot)
    assert user("model", "remove", HUB_ID, "--yes", "--saved-only").returncode == 0
    assert not saved.exists()
    assert user("model", "verify", HUB_ID).returncode == 0


def test_a_repository_that_is_a_link_out_of_the_cache_is_not_followed(user, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "snapshots" / COMMIT).mkdir(parents=True)
    (elsewhere / "precious").write_text("data")
    user.repository.parent.mkdir(parents=True)
    user.repository.symlink_to(elsewhere)
    done = user("model", "remove", HUB_ID, "--yes")
    assert done.returncode == 4
    assert (elsewhere / "precious").read_text() == "data"


def test_one_revision_can_go_while_another_stays(user, hub):
    user("model", "pull", HUB_ID)
    other = user.repository / "snapshots" / ("b" * 40)
    other.mkdir()
    (user.repository / "blobs" / ("f" * 40)).write_bytes(b"x" * 500)
    (other / "config.json").symlink_to(Path("..", "..", "blobs", "f" * 40))
    for file in user.snapshot.iterdir():
        if file.name != "config.json":
            (other / file.name).symlink_to(file.readlink())
    done = user("model", "remove", f"{HUB_ID}@{'b' * 40}", "--yes")
    assert done.returncode == 0, done.stderr
    assert "500 bytes are free again" in done.stdout
    assert user("model", "verify", HUB_ID).returncode == 0


@pytest.mark.parametrize(("answers", "is_left", "code"), [(b"n\n", True, 1), (b"y\n", False, 0)])
def test_remove_asks_in_a_terminal(answers, is_left, code, user):
    user("model", "pull", HUB_ID)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "glm4v_tui", "model", "remove", HUB_ID],
        env=environment(user.endpoint, user.home),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    os.write(ours, answers)
    told, _ = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert b"Delete owner/tiny from the cache" in told
    assert process.returncode == code
    assert user.repository.exists() is is_left


def test_an_unknown_name_is_helped_along(user):
    user("model", "pull", HUB_ID)
    done = user("model", "verify", "owner/tinny")
    assert done.returncode == 2
    assert f'did you mean "{HUB_ID}"?' in done.stderr
