"""What a server tells of itself: its kind, its models, how long its context is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from glm4v_tui.engine.remote import faults
from glm4v_tui.engine.remote.dialects import (
    DIALECTS,
    Dialect,
    context_of,
    dialect_of,
    positive,
)
from glm4v_tui.errors import ServerError
from glm4v_tui.plain import plain_line

if TYPE_CHECKING:
    import httpx

    from glm4v_tui.engine.remote.address import Address
    from glm4v_tui.engine.remote.client import Client
    from glm4v_tui.engine_settings import RemoteSettings

_NAMED = 8
"""Models that an error names."""


@dataclass(frozen=True)
class Server:
    """A server that answers."""

    dialect: Dialect
    models: tuple[str, ...]
    """What it lists; empty where it lists nothing."""
    context_length: int | None
    """Of the model that is asked; None when it does not say."""


async def look_at_server(client: Client, settings: RemoteSettings, address: Address) -> Server:
    """Ask a server what it is and has. Loads nothing there.

    Raises:
        Fault: it cannot be reached, refuses, or does not have the model.
    """
    listed = await _models(client, settings, address)
    if settings.dialect == "auto":
        page = await client.look("/", at_root=True) if _may_be_ollama(listed) else None
        dialect = dialect_of(listed, page.text[:200] if page is not None else "")
    else:
        dialect = DIALECTS[settings.dialect]
    names = tuple(str(one["id"]) for one in listed if isinstance(one.get("id"), str))
    # transformers serve lists what it has in memory, and loads what it is asked for
    entry = next((one for one in listed if settings.model in _names_of(one)), {})
    if names and not entry and dialect.name != "transformers":
        raise _unknown_model(settings.model, names, address)
    length = context_of(entry) or await _context(client, dialect, settings.model)
    return Server(dialect, names, length)


async def _models(
    client: Client, settings: RemoteSettings, address: Address
) -> list[dict[str, Any]]:
    response = await client.look("/models")
    if response.status_code in (404, 405) and address.has_version:
        return []  # a service without a list
    if response.status_code == 503:
        content = client.without_key(response.content)
        fault = faults.refused(address, 503, content, response.headers, settings.model)
        raise faults.Fault(
            ServerError(
                f"The server {address.shown} is not ready yet",
                fault.error.body,
                "It may be loading its model; it is asked again until it is there.",
            ),
            is_passing=True,
            is_down=True,
            after_s=fault.after_s,
        )
    if not response.is_success:
        content = client.without_key(response.content)
        raise faults.refused(
            address, response.status_code, content, response.headers, settings.model
        )
    data = _object(response).get("data")
    if not isinstance(data, list):
        raise faults.malformed(address, "Its list of models is none.")
    return [one for one in data if isinstance(one, dict)]


def _may_be_ollama(listed: list[dict[str, Any]]) -> bool:
    """It says so on its first page alone where all models are of other people's namespaces."""
    return dialect_of(listed).name == "openai"


def _names_of(entry: dict[str, Any]) -> set[str]:
    """What a listed model may be called: its name, what llama.cpp has beside it, and what Ollama
    takes for it."""
    others = entry.get("aliases")
    name = str(entry.get("id", ""))
    return {name, name.removesuffix(":latest"), *map(str, others if type(others) is list else [])}


async def _context(client: Client, dialect: Dialect, model: str) -> int | None:
    """From the server's own interface, where it has one that tells; never a reason to fail."""
    try:
        match dialect.name:
            case "llama.cpp":
                props = _object(await client.look("/props", at_root=True))
                settings = props.get("default_generation_settings")
                return positive(settings.get("n_ctx")) if isinstance(settings, dict) else None
            case "ollama":
                told = _object(await client.show("/api/show", {"model": model}))
                facts = told.get("model_info")
                return _ollama_length(facts) if isinstance(facts, dict) else None
            case "lmstudio":
                place = f"/api/v0/models/{quote(model)}"
                told = _object(await client.look(place, at_root=True))
                loaded = positive(told.get("loaded_context_length"))
                return loaded or positive(told.get("max_context_length"))
    except faults.Fault:
        pass
    return None


def _ollama_length(facts: dict[str, Any]) -> int | None:
    """``general.architecture`` names the family whose ``context_length`` counts."""
    return positive(facts.get(f"{facts.get('general.architecture')}.context_length"))


def _object(response: httpx.Response) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(response.content)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _unknown_model(model: str, names: tuple[str, ...], address: Address) -> faults.Fault:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return faults.Fault(
        ServerError(
            f"The server {address.shown} does not have the model {plain_line(model)}",
            f"It has {', '.join(map(plain_line, names[:_NAMED]))}{more}.",
            "Write one of them as model = in its [engines] table.",
        )
    )
