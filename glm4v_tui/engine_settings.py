"""The engines elsewhere that a user names in ``config.toml``: ``[engines.NAME]``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from glm4v_tui.errors import SettingsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SendImages = Literal["ask", "allow", "never"]

_NO_NAME = (
    "an engine's name must not be empty, begin or end with a space, or hold a comma, which stands "
    "between engines that are named together"
)
_Name = Annotated[str, msgspec.Meta(min_length=1)]
_Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
_InFlight = Annotated[int, msgspec.Meta(ge=1, le=256)]
_Side = Annotated[int, msgspec.Meta(ge=28, le=16_384)]
_Megabytes = Annotated[float, msgspec.Meta(gt=0, le=1024)]


class RemoteSettings(msgspec.Struct, frozen=True):
    """A server that speaks OpenAI's chat completions: vLLM, SGLang, llama.cpp, Ollama, LM Studio,
    transformers serve, or a hosted service."""

    url: _Name
    """Where it listens: `http://gpu.example.org:8000/v1`. Without a path `/v1` is meant."""
    model: _Name
    """The model, by the name that the server gives it."""
    api_key_env: str = ""
    """The environment variable that holds the key. The key itself is never written here."""
    api_key_keyring: str = ""
    """Or its name in the system's keyring, where `keyring set glm4v-tui NAME` puts it; needs
    `pip install 'glm4v-tui[keyring]'`."""
    timeout: _Seconds = 120.0
    """Seconds without a word from the server before a question is given up."""
    max_in_flight: _InFlight = 4
    """Questions that are asked at a time."""
    tls: str = "verify"
    """How its certificate is checked: `verify` by the system's authorities, the path of a file or
    folder with your own, or `off`, which trusts anyone."""
    send_images: SendImages = "ask"
    """Whether images may leave this machine: `ask` once for each host, `allow`, or `never`."""
    private_tasks: tuple[str, ...] = ()
    """Private tasks (`medical`) that this server may be asked; all others stay on this machine."""
    tasks: tuple[str, ...] = ()
    """Tasks that are asked here, in the chat as by `ask`, `batch` and `triage`, where neither an
    engine nor a model is named on the command line."""
    image_side: _Side = 1568
    """Images that are longer than this, in pixels, are made smaller before they are sent."""
    image_format: Literal["png", "jpeg"] = "png"
    """How pixels are encoded: `png` keeps them as they are, `jpeg` is some ten times smaller."""
    max_request_mb: _Megabytes = 20.0
    """The largest question that the server takes, in megabytes; larger ones are not sent."""
    proxy: str = "auto"
    """`auto` goes through what the environment names (`HTTPS_PROXY`, `NO_PROXY`), `off` through
    none; or the proxy's URL. This machine's own servers are never reached through one."""
    dialect: Literal[
        "auto", "openai", "vllm", "sglang", "llama.cpp", "ollama", "lmstudio", "transformers"
    ] = "auto"
    """What the server is; `auto` finds out."""


def all_engines(config_file: Path | None = None) -> Mapping[str, RemoteSettings]:
    """The engines by name, in the file's order; none without a file.

    Args:
        config_file: By default the user's ``config.toml``.

    Raises:
        SettingsError: the file cannot be read, or its table ``[engines]`` is wrong.
    """
    from glm4v_tui import paths
    from glm4v_tui.toml_file import read_toml, settings_error
    from glm4v_tui.toml_struct import read_table

    file = config_file or paths.config_file()
    if not file.exists():
        return {}
    written = read_toml(file)
    named = written.data.get("engines", {})
    if not isinstance(named, dict):
        raise SettingsError(
            "The settings cannot be used",
            f"{file}: engines: expected tables, found something else",
            "Write [engines.NAME] with url and model.",
        )
    if wrong := [written.problem(("engines", name), _NO_NAME) for name in named if _is_none(name)]:
        raise settings_error(file, wrong)
    return {name: read_table(written, RemoteSettings, ("engines", name)) for name in named}


def _is_none(name: str) -> bool:
    """Whether a command line could not name it."""
    return not name or name != name.strip() or "," in name


def engines_named(names: str, config_file: Path | None = None) -> dict[str, RemoteSettings]:
    """Those that are named with commas between, which have to serve the same model.

    Raises:
        UsageError: there is none of a name, or they serve different models.
        SettingsError: as :func:`all_engines`.
    """
    wanted = dict.fromkeys(name.strip() for name in names.split(","))
    found = {name: engine_named(name, config_file) for name in wanted}
    if len({told.model for told in found.values()}) > 1:
        told_of = ", ".join(f"{name}: {told.model}" for name, told in found.items())
        raise UsageError(
            "These engines serve different models",
            f"{told_of}.",
            "Questions are spread over engines of one model only: name those.",
        )
    return found


def engine_of_task(task: str | None, config_file: Path | None = None) -> str | None:
    """The first engine that the settings name for a task; None where there is none.

    Raises:
        SettingsError: as :func:`all_engines`.
    """
    engines = all_engines(config_file) if task is not None else {}
    return next((name for name, told in engines.items() if task in told.tasks), None)


def engine_named(name: str, config_file: Path | None = None) -> RemoteSettings:
    """One of them.

    Raises:
        UsageError: there is none of this name.
        SettingsError: as :func:`all_engines`.
    """
    known = all_engines(config_file)
    if name not in known:
        there = f"There are: {', '.join(known)}." if known else "There are none yet."
        raise UsageError(
            f"No engine is called {name!r}",
            there,
            "Name one of them, or write [engines.NAME] with url and model in config.toml.",
        )
    return known[name]
