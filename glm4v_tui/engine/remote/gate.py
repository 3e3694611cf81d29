"""The only way for an image out of this program.

Whatever is sent elsewhere of an image is a ``Cleared``, and only :meth:`Gate.clear` makes one:
after it has asked the settings, the user where the settings say so, and the task; and after it has
kept what is sent where. Nothing else beside this file encodes pixels for a server (a test reads all
of the package's source for that), and a request is built from ``Cleared`` images alone.

What is encoded are the upright 8-bit pixels that the program shows. No byte of the file they are
from is used: neither its EXIF, GPS and DICOM headers nor its name can be in there.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from glm4v_tui.engine.protocol import LeavingImage
from glm4v_tui.errors import GlmError, WithheldError
from glm4v_tui.plain import plain_line
from glm4v_tui.store.sent import SentImage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from glm4v_tui.engine.protocol import RgbImage
    from glm4v_tui.engine.remote.address import Address
    from glm4v_tui.engine_settings import RemoteSettings

    Ask = Callable[[tuple[LeavingImage, ...], tuple[str, ...]], Awaitable[bool]]
    """Ask the user; the images and what else is to be known go in."""

_JPEG_QUALITY = 95
_MADE_BY_THE_GATE = object()


class Ledger(Protocol):
    """What was sent where, and which hosts may be sent images: ``store.sent.Sent`` is one."""

    def note(self, images: Sequence[SentImage]) -> None: ...
    def is_allowed(self, host: str) -> bool: ...
    def allow(self, host: str) -> None: ...
    def private_task_of(self, digest: str) -> str: ...


@dataclass(frozen=True)
class Encoded:
    """An image as it would be sent. It cannot be sent yet."""

    data: bytes
    mime: str
    width: int
    height: int

    @property
    def leaving(self) -> LeavingImage:
        return LeavingImage(self.width, self.height, len(self.data), self.mime)


class Cleared:
    """An image that may be sent to the gate's server."""

    def __init__(self, encoded: Encoded, made_by: object) -> None:
        if made_by is not _MADE_BY_THE_GATE:
            raise TypeError("only the gate clears images")
        self._encoded = encoded

    @property
    def data_url(self) -> str:
        """``data:image/png;base64,...``: all that a server gets to know of the image."""
        text = base64.b64encode(self._encoded.data).decode("ascii")
        return f"data:{self._encoded.mime};base64,{text}"


class Gate:
    """Decides about one server.

    Args:
        name: The engine's name in the settings.
        ledger: Made when it is needed first; blocks.
    """

    def __init__(
        self,
        name: str,
        settings: RemoteSettings,
        address: Address,
        ledger: Callable[[], Ledger],
    ) -> None:
        self._name = name
        self._settings = settings
        self._address = address
        self._make_ledger = ledger
        self._ledger: Ledger | None = None
        self._asking = asyncio.Lock()

    def encode(self, image: RgbImage) -> Encoded:
        """Make an image as small as the server wants it, and encode its pixels. Blocks."""
        from PIL import Image

        picture = Image.frombytes("RGB", (image.width, image.height), image.pixels)
        side = self._settings.image_side
        if max(picture.size) > side:
            scale = side / max(picture.size)
            size = tuple(max(1, round(length * scale)) for length in picture.size)
            picture = picture.resize((size[0], size[1]), Image.Resampling.LANCZOS)
        out = io.BytesIO()
        if self._settings.image_format == "jpeg":
            picture.save(out, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
        else:
            # runs only: half the time of looking for repetitions, and photos get smaller by it
            picture.save(out, "PNG", compress_level=1, compress_type=zlib.Z_RLE)
        mime = f"image/{self._settings.image_format}"
        return Encoded(out.getvalue(), mime, picture.width, picture.height)

    def require_task(self, private_task: str) -> None:
        """Let a private task, its images and its text, stay at home.

        Raises:
            WithheldError: it must.
        """
        is_home = self._address.is_loopback or not private_task
        if not is_home and private_task not in self._settings.private_tasks:
            task = plain_line(private_task)
            raise WithheldError(
                f"What belongs to the task {task} stays on this machine",
                f"{self._where} is not this machine, and the task is private. Nothing was sent.",
                f'Ask a model on this machine, or write private_tasks = ["{task}"] under '
                f"[engines.{self._name}].",
            )

    async def clear(
        self, images: Sequence[tuple[str, Encoded]], private_task: str, ask: Ask | None
    ) -> list[Cleared]:
        """Let images out, in their order, and keep that they went.

        Args:
            images: SHA-256 of the file that each is from, and what would be sent.
            ask: None where nobody can be asked.

        Raises:
            WithheldError: they may not leave.
            StoreError: it cannot be kept that they were sent, so they are not.
        """
        self.require_task(private_task)
        if images and not self._address.is_loopback:
            for task in await asyncio.to_thread(self._private_tasks, images):
                self.require_task(task)
            await self._require_consent([one for _, one in images], ask)
            await asyncio.to_thread(self._note, images)
        return [Cleared(encoded, _MADE_BY_THE_GATE) for _, encoded in images]

    # Inside -----------------------------------------------------------------------------------

    @property
    def _where(self) -> str:
        return self._address.shown

    def _private_tasks(self, images: Sequence[tuple[str, Encoded]]) -> list[str]:
        """Of the images that a private task was asked about, whenever that was."""
        found = (self._kept.private_task_of(source) for source, _ in images)
        return [task for task in found if task]

    async def _require_consent(self, images: Sequence[Encoded], ask: Ask | None) -> None:
        policy = self._settings.send_images
        if policy == "never":
            raise WithheldError(
                f"Images are not sent to {self._where}",
                f'The settings say send_images = "never" for the engine {self._name}.',
                "Ask without images, or a model on this machine.",
            )
        if policy == "allow":
            return
        async with self._asking:  # several questions at a time: one asks, the others have heard it
            if await asyncio.to_thread(lambda: self._kept.is_allowed(self._address.host)):
                return
            if ask is None:
                raise WithheldError(
                    f"Nobody has said yet that images may go to {self._where}",
                    "Nothing was sent.",
                    f'Use --send-images allow, write send_images = "allow" under '
                    f"[engines.{self._name}], or say so once in the chat.",
                )
            if not await ask(tuple(one.leaving for one in images), self._warnings):
                raise WithheldError(
                    f"The images stay here: nobody allows them to go to {self._where}",
                    "Nothing was sent.",
                    "Ask again in the chat to decide anew, or choose a model on this machine.",
                )
            await asyncio.to_thread(lambda: self._kept.allow(self._address.host))

    @property
    def _warnings(self) -> tuple[str, ...]:
        found = []
        if not self._address.is_encrypted:
            found.append("not encrypted on the way")
        elif self._settings.tls == "off":
            found.append("the server's certificate is not checked")
        if (proxy := self._address.exposed_to) is not None:
            found.append(f"the proxy {proxy} can read it")
        return tuple(found)

    @property
    def _kept(self) -> Ledger:
        if self._ledger is None:
            self._ledger = self._make_ledger()
        return self._ledger

    def _note(self, images: Sequence[tuple[str, Encoded]]) -> None:
        try:
            self._kept.note([self._sent(source, encoded) for source, encoded in images])
        except GlmError as error:
            raise type(error)(
                f"It cannot be kept what is sent to {self._where}, so nothing is",
                f"{error.title}. {error.body}",
                error.remedy,
            ) from error

    def _sent(self, source: str, encoded: Encoded) -> SentImage:
        return SentImage(
            *(self._address.host, self._name, self._settings.model, source),
            *(hashlib.sha256(encoded.data).hexdigest(), encoded.width, encoded.height),
            len(encoded.data),
        )
