"""The failures that users of GLM-4V-9B and its successors met, told by the words they reported."""

import json
import os
import re
import subprocess
import sys
import time

import pytest

from glm4v_tui.diagnosis import TABLE, diagnose
from glm4v_tui.diagnosis import explain as explain_error
from glm4v_tui.errors import GlmError

MODULES = "/root/.cache/huggingface/modules/transformers_modules/glm-4v-9b"
SITE = "/venv/lib/python3.11/site-packages"

RECORDED = {
    "1 of today": (
        "cuda-out-of-memory",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.16 GiB. GPU 0 has a total "
        "capacity of 23.65 GiB of which 1.02 GiB is free.",
    ),
    "1 of before": (
        "cuda-out-of-memory",
        "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.16 GiB (GPU 0; "
        "23.69 GiB total capacity; 22.37 GiB already allocated)",
    ),
    "2": (
        "tokenizer-padding-side",
        f'  File "{SITE}/transformers/tokenization_utils_base.py", line 3500, in pad\n'
        "TypeError: ChatGLM4Tokenizer._pad() got an unexpected keyword argument 'padding_side'",
    ),
    "3": (
        "extract-past",
        "AttributeError: 'ChatGLMForConditionalGeneration' object has no attribute "
        "'_extract_past_from_model_output'",
    ),
    "4": (
        "get-masks",
        f'  File "{MODULES}/modeling_chatglm.py", line 779, in get_masks\n'
        "    past_length = past_key_values[0][0].shape[2]\n"
        "AttributeError: 'NoneType' object has no attribute 'shape'",
    ),
    "5": (
        "config-max-length",
        "AttributeError: 'ChatGLMConfig' object has no attribute 'max_length'. Did you mean: "
        "'seq_length'?",
    ),
    "6": (
        "batch-encode-plus",
        "AttributeError: ChatGLM4Tokenizer has no attribute batch_encode_plus. Did you mean: "
        "'_batch_encode_plus'?",
    ),
    "7": (
        "tied-weights",
        "AttributeError: 'ChatGLMForConditionalGeneration' object has no attribute "
        "'all_tied_weights_keys'",
    ),
    "7 as a list": (
        "tied-weights",
        f'  File "{SITE}/transformers/modeling_utils.py", line 2441, in '
        "get_expanded_tied_weights_keys\n"
        "    tied_keys = self._tied_weights_keys.keys()\n"
        "AttributeError: 'list' object has no attribute 'keys'",
    ),
    "8": (
        "two-devices",
        f'  File "{MODULES}/visual.py", line 109, in forward\n'
        "RuntimeError: Expected all tensors to be on the same device, but found at least two "
        "devices, cuda:0 and cuda:1!",
    ),
    "9": (
        "half-and-bfloat",
        "RuntimeError: Input type (c10::BFloat16) and bias type (c10::Half) should be the same",
    ),
    "10": (
        "bitsandbytes-library",
        "AttributeError: 'NoneType' object has no attribute 'cquantize_blockwise_bf16_fp4'",
    ),
    "10 in its new words": (
        "bitsandbytes-library",
        "RuntimeError: \nAttempted to use bitsandbytes native library functionality but it's not "
        "available.\n\nNative code method attempted to call: lib.cquantize_blockwise_bf16_nf4()",
    ),
    "10 at the start": (
        "bitsandbytes-library",
        "WARNING:bitsandbytes.cextension:No compatible CUDA binary found at /venv/libbitsandbytes",
    ),
    "11": (
        "dispatched-to-cpu",
        "ValueError: Some modules are dispatched on the CPU or the disk. Make sure you have enough "
        "GPU RAM to fit the quantized model. If you want to dispatch the model on the CPU or the "
        "disk while keeping these modules in 32-bit, you need to set "
        "`llm_int8_enable_fp32_cpu_offload=True`",
    ),
    "12": (
        "params4bit-initialized",
        "TypeError: Params4bit.__new__() got an unexpected keyword argument '_is_hf_initialized'",
    ),
    "13": (
        "quantized-loading-memory",
        f'  File "{SITE}/transformers/core_model_loading.py", line 662, in _materialize_copy\n'
        "    tensor = tensor.to(device=device, dtype=dtype)\n"
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 136.00 MiB. GPU 0 has a "
        "total capacity of 15.46 GiB of which 75.62 MiB is free.",
    ),
    "14": (
        "chatglm-file-missing",
        "OSError: /models/glm-4v-9b does not appear to have a file named "
        "configuration_chatglm.py. Checkout 'https://huggingface.co//models/glm-4v-9b/tree/None' "
        "for available files.",
    ),
    "14 at its first line": (
        "chatglm-file-missing",
        "Could not locate the configuration_chatglm.py inside THUDM/glm-4v-9b.",
    ),
    "15": (
        "remote-code-consent",
        "ValueError: Loading /models/glm-4v-9b requires you to execute the configuration file in "
        "that repo.\nLoading this model requires you to execute custom code contained in the model "
        "repository on your local machine. Please set the option `trust_remote_code=True` to "
        "permit loading of this model.",
    ),
    "15 in words of before": (
        "remote-code-consent",
        "ValueError: The repository for THUDM/glm-4v-9b contains custom code which must be executed"
        " to correctly load the model.\nPlease pass the argument `trust_remote_code=True` to allow "
        "custom code to be run.",
    ),
    "16": (
        "unknown-architecture",
        "ValueError: The checkpoint you are trying to load has model type `glm4v` but Transformers "
        "does not recognize this architecture. This could be because of an issue with the "
        "checkpoint, or because your version of Transformers is out of date.",
    ),
    "17": (
        "tiktoken-missing",
        "ImportError: This modeling file requires the following packages that were not found in "
        "your environment: tiktoken. Run `pip install tiktoken`",
    ),
    "17 torchvision": (
        "package-missing",
        "ImportError: This modeling file requires the following packages that were not found in "
        "your environment: torchvision. Run `pip install torchvision`",
    ),
    "17 the tokenizer's own": (
        "tiktoken-missing",
        "ImportError: GLM-4V requires the Tiktoken library, please install it.",
    ),
    "18": (
        "image-tokens",
        "ValueError: Image features and image tokens do not match: tokens: 1598, features 1600",
    ),
    "18 video": (
        "image-tokens",
        "ValueError: Video features and video tokens do not match: tokens: 0, features 1600",
    ),
    "19": (
        "stream-chat",
        "AttributeError: 'ChatGLMForConditionalGeneration' object has no attribute 'stream_chat'",
    ),
    "19 chat": (
        "stream-chat",
        "AttributeError: 'ChatGLMForConditionalGeneration' object has no attribute 'chat'",
    ),
    "20": (
        "load-in-4bit",
        "TypeError: Glm4vForConditionalGeneration.__init__() got an unexpected keyword argument "
        "'load_in_4bit'",
    ),
    "21": ("multiple-images", "AssertionError: Multiple images are not supported"),
    "22": (
        "hub-unreachable",
        "OSError: We couldn't connect to 'https://huggingface.co' to load the files, and couldn't "
        "find them in the cached files.\nCheck your internet connection",
    ),
    "22 a wrong name": (
        "hub-unknown-model",
        "OSError: THUDM/glm-4v-9 is not a local folder and is not a valid model identifier listed "
        "on 'https://huggingface.co/models'",
    ),
}


@pytest.mark.parametrize("number", RECORDED)
def test_the_recorded_text_is_told_with_a_remedy(number):
    name, said = RECORDED[number]
    text = f"Traceback (most recent call last):\n{said}\n"
    (found,) = diagnose(text)
    assert found.name == name
    assert found.title
    assert found.meaning
    assert found.remedy
    assert found.said in said


def test_all_22_of_the_facts_are_here():
    assert {int(name.split()[0]) for name in RECORDED} == set(range(1, 23))


ORDINARY = (
    "Loading checkpoint shards: 100%|##########| 15/15 [00:12<00:00,  1.2it/s]\n",
    "The `load_in_4bit` and `load_in_8bit` arguments are deprecated and will be removed\n",
    "    except MemoryError:\n        return None\n",
    "AttributeError: 'NoneType' object has no attribute 'shape'\n",
    "AttributeError: 'list' object has no attribute 'keys'\n",
    "The picture shows multiple images of a cat, and none of them should be the same.\n",
    "GPU 0: 500 of 8192 MiB in use; max_length is 8192; the chat template was read\n",
    "# pass trust_remote_code=False so that no remote code runs\n",
    "Answer: the hub of the wheel is worn; the memory of it did not fade.\n",
)


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_is_left_alone(text):
    assert diagnose(text) == ()


def test_the_readme_and_our_own_log_format_are_ordinary():
    text = "2026-11-26 10:00:00 worker: loaded glm4v in 12.1 s\nanswered 120 tokens in 2.1 s\n"
    assert diagnose(text * 50) == ()


# Packages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ModuleNotFoundError: No module named 'torch'", "no-torch"),
        ("/usr/bin/python3: No module named torch", "no-torch"),
        ("ModuleNotFoundError: No module named 'torch.nn'", "no-torch"),
        ("ModuleNotFoundError: No module named 'torchvision'", "no-torchvision"),
        ("ModuleNotFoundError: No module named 'bitsandbytes'", "no-bitsandbytes"),
        ("ModuleNotFoundError: No module named 'PIL'", "no-pillow"),
        ("ModuleNotFoundError: No module named 'zxingcpp'", "no-zxing-cpp"),
        (
            "PackageNotFoundError: No package metadata was found for bitsandbytes",
            "no-bitsandbytes",
        ),
        (
            "ImportError: Using `bitsandbytes` 4-bit quantization requires bitsandbytes: `pip "
            "install -U bitsandbytes>=0.46.1`",
            "no-bitsandbytes",
        ),
        (
            "AutoModel requires PyTorch >= 2.6, but PyTorch was not found or an older version is "
            "installed.",
            "no-torch",
        ),
        (
            "AutoImageProcessor requires the PIL library but it was not found in your environment.",
            "no-pillow",
        ),
    ],
)
def test_a_package_that_is_missing_is_named_with_what_installs_it(text, name):
    (found,) = diagnose(f"Traceback (most recent call last):\n{text}\n")
    assert found.name == name
    assert f"pip install --upgrade {name.removeprefix('no-')}." in found.remedy


def test_a_module_of_another_program_is_not_ours_to_explain():
    assert diagnose("ModuleNotFoundError: No module named 'torchaudio_own'\n") == ()
    assert diagnose("ModuleNotFoundError: No module named 'mine.torch'\n") == ()


# Of several rows that fit, the most specific ----------------------------------------------------


def test_the_cause_says_more_than_that_nothing_answered():
    text = (
        "httpx.ConnectError: [Errno -2] Name or service not known\n\n"
        "The above exception was the direct cause of the following exception:\n\n"
        f"{RECORDED['22'][1]}\n"
    )
    assert [found.name for found in diagnose(text)] == ["hub-name"]


def test_memory_that_ran_out_while_loading_is_not_told_as_any_other():
    assert [one.name for one in diagnose(RECORDED["13"][1])] == ["quantized-loading-memory"]
    assert [one.name for one in diagnose(RECORDED["1 of today"][1])] == ["cuda-out-of-memory"]


def test_tiktoken_is_told_apart_from_other_packages():
    assert (
        diagnose(RECORDED["17"][1])[0].remedy != diagnose(RECORDED["17 torchvision"][1])[0].remedy
    )


def test_several_failures_are_told_in_the_order_of_the_text_with_their_lines():
    text = f"one\n{RECORDED['21'][1]}\ntwo\n{RECORDED['12'][1]}\n{RECORDED['21'][1]}\n"
    found = diagnose(text)
    assert [(one.name, one.line, one.times) for one in found] == [
        ("params4bit-initialized", 4, 1),
        ("multiple-images", 5, 2),
    ]


def test_a_line_that_a_terminal_has_wrapped_is_known():
    words = RECORDED["11"][1].replace("the CPU or", "the CPU\nor")
    assert [found.name for found in diagnose(words)] == ["dispatched-to-cpu"]


def test_what_the_client_advises_is_left_out_of_the_reason():
    error = RuntimeError(
        "404 Client Error.\n\nRepository Not Found for url: https://hub/api/models/a/b.\n"
        "Please make sure you specified the correct `repo_id` and `repo_type`."
    )
    told = explain_error(error, "fetching")
    assert told.title == "The hub has no such model"
    assert told.body.endswith("https://hub/api/models/a/b.")


def test_the_cause_in_a_chain_of_exceptions_says_more_than_its_wrapper():
    wrapper = OSError("We couldn't connect to 'https://huggingface.co' to load the files")
    wrapper.__cause__ = OSError("[Errno -3] Temporary failure in name resolution")
    assert explain_error(wrapper, "loading").title == "The name of the hub cannot be looked up"


def test_windows_line_ends_do_not_matter():
    text = RECORDED["4"][1].replace("\n", "\r\n")
    assert [(found.name, found.line) for found in diagnose(text)] == [("get-masks", 3)]


# The table --------------------------------------------------------------------------------------


def test_every_row_is_whole_and_named_once():
    assert len({row.name for row in TABLE}) == len(TABLE)
    for row in TABLE:
        assert issubclass(row.error, GlmError)
        assert row.title.strip() == row.title.rstrip(".")
        assert row.meaning.endswith(".")
        assert row.remedy


def test_options_and_commands_that_remedies_name_exist():
    from glm4v_tui.cli import cli

    names = {
        option for command in cli.commands.values() for p in command.params for option in p.opts
    }
    groups = [command for command in cli.commands.values() if hasattr(command, "commands")]
    names |= {o for g in groups for c in g.commands.values() for p in c.params for o in p.opts}
    theirs = {"--upgrade", "--force-reinstall"}
    for row in TABLE:
        assert set(re.findall(r"(?<!\w)--[a-z-]+", row.remedy)) <= names | theirs, row.name


def test_a_long_log_takes_no_time():
    line = f'  File "{MODULES}/modeling_chatglm.py", line 1, in forward with tied_weights\n'
    started = time.monotonic()
    diagnose(line * 20_000)
    assert time.monotonic() - started < 20


# The command ------------------------------------------------------------------------------------


def explain(*arguments, text="", home=None):
    env = os.environ | ({"GLM4V_TUI_HOME": str(home)} if home else {})
    command = [sys.executable, "-m", "glm4v_tui", "doctor", *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True, env=env, timeout=60)


def test_a_text_from_a_pipe_is_explained():
    done = explain("--explain", "-", text=RECORDED["2"][1])
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("The original's tokenizer code is too old for transformers\n")
    assert "line 2: TypeError: ChatGLM4Tokenizer._pad()" in done.stdout
    assert "-> glm4v-tui reads the original folder itself" in done.stdout


def test_a_file_is_explained_as_json(tmp_path):
    file = tmp_path / "log.txt"
    file.write_text(RECORDED["12"][1])
    done = explain("--explain", str(file), "--json")
    report = json.loads(done.stdout)
    assert report["source"] == str(file)
    assert [found["name"] for found in report["found"]] == ["params4bit-initialized"]


def test_an_unknown_text_says_so_and_ends_in_1():
    done = explain("--explain", "-", text="all is well\n")
    assert (done.returncode, done.stdout.splitlines()[0]) == (
        1,
        "Nothing in it is known to this program.",
    )


def test_what_could_move_the_cursor_is_not_repeated():
    done = explain("--explain", "-", text="\x1b[2J\x1b[31mMultiple images are not supported\x1b[0m")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout


def test_a_file_that_is_not_there_is_a_mistake_of_the_command(tmp_path):
    done = explain("--explain", str(tmp_path / "none"))
    assert done.returncode == 2
    assert done.stderr.startswith("This file cannot be read\n")


def test_the_own_log_is_found(tmp_path):
    done = explain("--explain-log", home=tmp_path)
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "There is no log yet")
    folder = tmp_path / "state" / "log"
    folder.mkdir(parents=True)
    (folder / "worker-1.log").write_text(RECORDED["21"][1])
    done = explain("--explain-log", home=tmp_path)
    assert done.returncode == 0
    assert (
        "worker-1.log"
        in json.loads(explain("--explain-log", "--json", home=tmp_path).stdout)["source"]
    )


def test_words_for_programmers_give_way_where_the_table_says_all_of_it():
    told = explain_error(
        ValueError("absolute aspect ratio must be smaller than 200, got 3000.0"), "answering"
    )
    assert told.body == "Its longer side is more than 200 times the shorter one."
