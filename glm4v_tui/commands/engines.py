"""``glm4v-tui engines``: the servers of the settings, and whether each can be asked."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import msgspec

from glm4v_tui.engine_settings import all_engines
from glm4v_tui.errors import EngineError, GlmError
from glm4v_tui.plain import plain_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from glm4v_tui.engine.remote.address import Address
    from glm4v_tui.engine.remote.server import Server
    from glm4v_tui.engine_settings import RemoteSettings

_NONE = (
    "No engine is named yet. Write into config.toml:\n\n"
    '[engines.NAME]\nurl = "http://HOST:8000/v1"\nmodel = "MODEL"\n'
)
_LISTED = 12


class _Row(msgspec.Struct, frozen=True):
    """What is known of one engine."""

    name: str
    url: str
    model: str
    is_this_machine: bool | None
    send_images: str
    server: str | None = None
    """What it is; None where it cannot be asked."""
    context_length: int | None = None
    models: tuple[str, ...] = ()
    problem: dict[str, str] | None = None


def run(*, as_json: bool) -> int:
    """Ask every server what it has; nothing is loaded there and nothing is sent. Exit code 0 when
    all of them can be asked, else 4."""
    engines = all_engines()
    rows = asyncio.run(_look_at_all(engines))
    if as_json:
        sys.stdout.write(f"{msgspec.json.encode({'engines': rows}).decode()}\n")
    elif not rows:
        sys.stdout.write(_NONE)
    else:
        sys.stdout.write("\n".join(_words(row) for row in rows) + "\n")
    return EngineError.exit_code if any(row.problem for row in rows) else 0


async def _look_at_all(engines: Mapping[str, RemoteSettings]) -> Sequence[_Row]:
    return await asyncio.gather(*(_look_at(name, told) for name, told in engines.items()))


async def _look_at(name: str, told: RemoteSettings) -> _Row:
    from glm4v_tui.engine.remote.address import Address
    from glm4v_tui.engine.remote.faults import Fault

    # Of a URL only what is no secret: it may hold a password, or a key after its "?".
    row = _Row(name, "?", told.model, None, told.send_images)
    try:
        address = Address.of(told.url, told.proxy)
        row = msgspec.structs.replace(row, url=address.base, is_this_machine=address.is_loopback)
        server = await _ask(told, address)
    except (Fault, GlmError) as failure:
        error = failure.error if isinstance(failure, Fault) else failure
        problem = {"title": error.title, "body": error.body, "remedy": error.remedy}
        return msgspec.structs.replace(row, problem=problem)
    return msgspec.structs.replace(
        row,
        server=server.dialect.title,
        context_length=server.context_length,
        models=server.models,
    )


async def _ask(told: RemoteSettings, address: Address) -> Server:
    from glm4v_tui.engine.remote.client import Client
    from glm4v_tui.engine.remote.keys import key_of
    from glm4v_tui.engine.remote.server import look_at_server

    client = Client(told, address, key_of(told, os.environ))
    try:
        return await look_at_server(client, told, address)
    finally:
        await client.close()


def _words(row: _Row) -> str:
    place = "this machine" if row.is_this_machine else f"images: {row.send_images}"
    head = f"{row.name}: {row.model} at {row.url} ({place})"
    if row.problem is not None:
        parts = filter(None, row.problem.values())
        return "\n  ".join([plain_line(head), *(plain_line(part) for part in parts)])
    length = f", context {row.context_length:,}" if row.context_length else ""
    lines = [plain_line(head), f"  {row.server}{length}"]
    others = [plain_line(name) for name in row.models if name != row.model]
    if others:
        more = f" and {len(others) - _LISTED} more" if len(others) > _LISTED else ""
        lines.append(f"  also there: {', '.join(others[:_LISTED])}{more}")
    return "\n".join(lines)
