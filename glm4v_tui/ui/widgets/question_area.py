"""The question that is being written: its text and the images that go with it."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual.containers import Vertical
from textual.message import Message

from glm4v_tui import chat
from glm4v_tui.errors import GlmError, ImageError
from glm4v_tui.paths import is_folder, is_there
from glm4v_tui.plain import plain_line, plain_text
from glm4v_tui.ui.next_question import text_tokens
from glm4v_tui.ui.notices import tell_error
from glm4v_tui.ui.pending_images import PendingImages
from glm4v_tui.ui.task_desk import without_task
from glm4v_tui.ui.widgets.attachments import AttachmentStrip
from glm4v_tui.ui.widgets.composer import Composer
from glm4v_tui.ui.widgets.task_hint import TaskHint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from textual.app import ComposeResult

    from glm4v_tui.engine.protocol import Measured
    from glm4v_tui.tasks.call import TaskCall
    from glm4v_tui.tasks.command import Command
    from glm4v_tui.ui.task_desk import AskedTask, TaskDesk

    Images = tuple[chat.Attachment, ...]


_MOST = 5
"""Refused images that are named."""
_TEXT_STEP = 100
"""Tokens of a text that count in the context before it is asked: fewer are not worth painting."""


@dataclass(frozen=True)
class _Edit:
    """A question that is written anew, and what was set aside for it."""

    draft: str
    images: Images
    text: str
    """As it was asked."""


class QuestionArea(Vertical):
    """Composer and attached images. Opens, refuses and counts images; the screen asks.

    Args:
        desk: Where tasks are looked up that a question names.
        last_images: What was asked about last: a task is asked about these when none is attached.
    """

    DEFAULT_CSS = "QuestionArea { height: auto; }"

    @dataclass
    class Asked(Message):
        question: chat.Message
        call: TaskCall | None = None
        """What the task asks for; None for a question in free words."""

    @dataclass
    class FolderNamed(Message):
        """A folder was pasted or dropped."""

        folder: Path

    class ImagesChanged(Message):
        """Other images are attached, or more is known of their cost."""

    class TextGrew(Message):
        """:attr:`text_tokens` is another."""

    def __init__(self, desk: TaskDesk, last_images: Callable[[], Images] = tuple) -> None:
        super().__init__()
        self._desk = desk
        self._last_images = last_images
        self._pending = PendingImages(self._note_images, self._note_refusal, self._readers_there)
        self._refused: list[tuple[Path, GlmError]] = []
        """Of the images that are being opened now."""
        self._edit: _Edit | None = None
        self._in_order = asyncio.Lock()
        self.text_tokens = 0
        """About how many a long text has, in steps; 0 for a short one."""
        self._preparing = ""
        """The task whose question is being put together."""

    def compose(self) -> ComposeResult:
        yield AttachmentStrip()
        yield TaskHint()
        yield Composer(_earlier_questions)

    @property
    def composer(self) -> Composer:
        return self.query_one(Composer)

    @property
    def attachments(self) -> tuple[chat.Attachment, ...]:
        return tuple(self._pending.attachments)

    @property
    def image_tokens(self) -> int:
        """What the attached images will add to the context, as far as it is known."""
        return self._pending.cost_of(self._pending.attachments)

    def cost_of(self, images: Iterable[chat.Attachment]) -> int:
        """The tokens of other images, as far as they are known."""
        return self._pending.cost_of(images)

    def seen(self, images: Iterable[chat.Attachment]) -> list[tuple[int, int]]:
        """(width, height) at which the model sees these images, as far as it is known."""
        return self._pending.seen(images)

    @property
    def unmeasured(self) -> tuple[tuple[int, int], ...]:
        """(width, height) of attached images whose cost is not known."""
        return self._pending.unmeasured

    def forget_costs(self) -> None:
        """Another model is there: what images cost is to be measured anew."""
        self._pending.forget_costs()

    def take_costs(self, measured: Measured) -> None:
        """Note what images of some sizes will cost."""
        self._pending.note_costs(measured)

    def attach(self, images: Iterable[tuple[Path, chat.Box | None]]) -> None:
        """Attach files, or parts of them, in this order; each is shown or refused aloud."""
        self.run_worker(self._pending.hold(self._open_images(list(images))), group="attach")

    def rewrite(self, text: str, attachments: Sequence[chat.Attachment]) -> None:
        """Bring a question back to be written anew, above what is being written."""
        self.composer.replace_text(_joined(text, self.composer.text))
        self.screen.set_focus(self.composer)
        self._pending.put_back(tuple(map(without_task, attachments)))

    def edit(self, text: str, attachments: Sequence[chat.Attachment]) -> None:
        """Let an earlier question be written anew, in place of what is being written.

        That comes back when the question is asked, or left with :meth:`leave_edit`.
        """
        self._edit = _Edit(self.composer.text, self.attachments, text)
        self.composer.replace_text(text)
        self.screen.set_focus(self.composer)
        self._pending.replace(tuple(map(without_task, attachments)))

    @property
    def is_editing(self) -> bool:
        return self._edit is not None

    def leave_edit(self) -> None:
        """Bring back what stood here before the question that is being edited.

        What was changed of that can be recalled as a question that was asked can.
        """
        edit, self._edit = self._edit, None
        if edit is None:
            return
        if self.composer.text not in ("", edit.text):
            self.composer.remember(self.composer.text)
            self.notify("The changed question is kept: ↑ recalls it.", markup=False)
        self.composer.replace_text(edit.draft)
        self._pending.replace(edit.images)

    def _end_edit(self) -> None:
        """The edited question was asked: what was set aside comes back, above what is new."""
        edit, self._edit = self._edit, None
        if edit is not None:
            self.composer.replace_text(_joined(edit.draft, self.composer.text))
            self._pending.put_back(edit.images)

    # Sending --------------------------------------------------------------------------------

    def on_composer_submitted(self, message: Composer.Submitted) -> None:
        message.stop()
        self.send(message.text)

    def send(self, text: str) -> None:
        """Ask this, after what was sent before it."""
        self.run_worker(self._send(text), group="send")

    async def _send(self, text: str) -> None:
        if await self._names_images(text):
            self.take_paste(text)
            return
        if not text.strip():
            if self.attachments:
                self.notify("Write a question about the image first.", markup=False)
            return
        async with self._in_order:
            await self._ask(text)

    async def _ask(self, text: str) -> None:
        refused = self._pending.refusals
        await self._pending.settled()
        if self._pending.refusals != refused:
            # Not without the image that it is about: the question comes back.
            self.rewrite(text, ())
            return
        images = tuple(self._pending.take())
        try:
            asked = await self._asked_of_task(text, images)
        except GlmError as error:
            tell_error(self, error)
            self.rewrite(text, images)
            return
        self._end_edit()
        if asked is None:
            question = chat.Message(chat.Role.USER, text.strip(), images)
            self.post_message(self.Asked(question))
        else:
            question = chat.Message(chat.Role.USER, asked.text, asked.attachments)
            self.post_message(self.Asked(question, asked.call))
        await self._remember(text)

    async def _names_images(self, text: str) -> bool:
        """Whether this is no question, but paths of images on this host, and nothing else."""
        from glm4v_tui.paste import may_be_paths, parse_paste

        if not may_be_paths(text):
            return False
        pasted = await asyncio.to_thread(parse_paste, text, Path.cwd(), Path.home())
        return bool(pasted.paths) and not pasted.text and not pasted.absent

    async def _asked_of_task(self, text: str, images: Images) -> AskedTask | None:
        """The question of the task that the text names; None for free words. Raises GlmError."""
        from glm4v_tui.tasks.command import command_in

        command = command_in(text)
        if command is None:
            return None
        self._show_preparing(command.name)
        try:
            if await self._is_path(command):
                return None
            task = await self._desk.find(command)
            self._show_preparing(str(task.title))
            return await self._desk.ask(task, command.rest, images or self._last_images())
        finally:
            self._show_preparing("")

    async def _is_path(self, command: Command) -> bool:
        """Whether the text begins with a path, such as /tmp, that is no task's name."""
        if command.name in (await self._desk.ready()).tasks:
            return False
        return await asyncio.to_thread(is_there, Path(f"/{command.name}"))

    def _show_preparing(self, name: str) -> None:
        self._preparing = name
        self._note_images()

    async def _remember(self, text: str) -> None:
        from glm4v_tui.prompt_history import append_prompt

        await asyncio.to_thread(append_prompt, text)

    # Images ---------------------------------------------------------------------------------

    async def _open_images(self, images: list[tuple[Path, chat.Box | None]]) -> None:
        for path, crop in images:
            await self._pending.add(path, crop)
        self._tell_refusals()

    def on_composer_detach_requested(self) -> None:
        if (removed := self._pending.remove_last()) is not None:
            name = plain_line(Path(removed.path).name)
            self.notify(f"{name} is no longer attached.", markup=False, timeout=3)

    def on_composer_pasted(self, message: Composer.Pasted) -> None:
        message.stop()
        self.take_paste(message.text)

    def take_paste(self, text: str) -> None:
        """Attach the images that a paste names, refuse what is not on this host, or insert."""
        from glm4v_tui.paste import may_be_paths

        if may_be_paths(text):
            self.run_worker(self._pending.hold(self._take_paste(text)), group="attach")
        else:  # at once: letters that are typed after it come after it
            self.composer.insert(plain_text(text))

    async def _take_paste(self, text: str) -> None:
        from glm4v_tui.paste import Host, absent_message, parse_paste

        folder = Path.cwd()
        pasted = await asyncio.to_thread(parse_paste, text, folder, Path.home())
        if pasted.absent:
            tell_error(self, absent_message(pasted.absent, folder, Host.this(os.environ)))
        if pasted.text:
            self.composer.insert(plain_text(pasted.text))
        folders = [path for path in pasted.paths if is_folder(path)]
        if folders:
            self.post_message(self.FolderNamed(folders[0]))
        await self._open_images([(path, None) for path in pasted.paths if path not in folders])

    def _note_images(self) -> None:
        pending = self._pending
        strip = self.query_one(AttachmentStrip)
        preparing = [f"preparing {self._preparing}"] if self._preparing else []
        strip.show_images(pending.attachments, pending.costs, [*pending.opening, *preparing])
        self.post_message(self.ImagesChanged())

    def _note_refusal(self, path: Path, error: GlmError) -> None:
        self._refused.append((path, error))

    def _tell_refusals(self) -> None:
        """One error in full, several in a line each: they must not cover the screen."""
        refused, self._refused = self._refused, []
        if len(refused) == 1:
            ((path, error),) = refused
            title = f"{plain_line(path.name)}: {error.title}"
            tell_error(self, type(error)(title, error.body, error.remedy))
        elif refused:
            lines = [f"{plain_line(path.name)}: {error.title}" for path, error in refused]
            more = [f"… and {len(lines) - _MOST} more"] if len(lines) > _MOST else []
            title = f"{len(lines)} images were not attached"
            tell_error(self, ImageError(title, "\n".join(lines[:_MOST] + more)))

    async def _readers_there(self) -> None:
        """Wait for the plugins: one of them may read what Pillow cannot."""
        await self._desk.ready()

    def on_text_area_changed(self) -> None:
        self.show_names()
        written = text_tokens(self.composer.text) // _TEXT_STEP * _TEXT_STEP
        if written != self.text_tokens:
            self.text_tokens = written
            self.post_message(self.TextGrew())

    def show_names(self) -> None:
        """Show which tasks the text may become the name of."""
        names = self._desk.names
        self.composer.completions = [f"/{name}" for name in names]
        self.query_one(TaskHint).show_names(self.composer.text, names)


def _joined(*texts: str) -> str:
    return "\n".join(filter(None, texts))


def _earlier_questions() -> list[str]:
    from glm4v_tui.prompt_history import load_prompts

    return load_prompts()[0]
