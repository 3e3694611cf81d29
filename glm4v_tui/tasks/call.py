"""One question of a task: everything that depends on the task, put together before it is asked."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from glm4v_tui.errors import GlmError, PluginError
from glm4v_tui.images import Facts, Preparation
from glm4v_tui.plain import plain_line
from glm4v_tui.tasks.form_words import describe_form
from glm4v_tui.tasks.schema import form_of
from glm4v_tui.tasks.task import Generation, Language, Task

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from PIL.Image import Image

    from glm4v_tui.tasks.plugins import Plugins

AnyTask = Task[Any, Any]


class TaskCall(msgspec.Struct, frozen=True):
    """What a turn of a conversation needs to know of the task that it is asked for."""

    task: str
    version: str
    options: str
    """The options as JSON: two calls of the same task and options ask for the same thing."""
    system_prompt: str
    schema: str
    """What the answer is bound to, a JSON Schema."""
    reasoning_tokens: int = 0
    generation: Generation = Generation()
    facts: tuple[Facts, ...] = ()
    """Of the images, in their order."""
    words: str = ""
    """What the user asked in place of the task's own question; empty for that."""
    is_private: bool = False
    """The task is private: what it is asked about stays on this machine."""


def system_language() -> Language:
    """Chinese where the system's messages are, else English."""
    named = next(
        (value for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (value := os.environ.get(name))), ""
    )
    return Language.ZH if named.lower().startswith("zh") else Language.EN


def language_named(name: str) -> Language:
    """The language of the setting ``generation.language``; ``auto`` is the system's."""
    return system_language() if name == "auto" else Language(name)


def make_call(
    task: AnyTask,
    options: msgspec.Struct,
    language: Language,
    facts: Sequence[Facts],
    words: str = "",
) -> TaskCall:
    """Put together what is asked.

    Raises:
        PluginError: the task's own code or form is at fault.
    """
    with guarded(task, "describing its result"):
        wanted = task.form(options)
        schema = form_of(wanted)
        form = describe_form(wanted, language)
    prompt = task.system_prompt.in_language(language)
    return TaskCall(
        task=task.name,
        version=task.version,
        options=options_json(options),
        system_prompt="\n\n".join(filter(None, (prompt, form))),
        schema=schema,
        reasoning_tokens=task.reasoning_tokens,
        generation=task.generation,
        facts=tuple(facts),
        words=words,
        is_private=task.is_private,
    )


def wording(
    task: AnyTask, options: msgspec.Struct, language: Language, facts: Sequence[Facts]
) -> str:
    """The question in words.

    Raises:
        PluginError: the task's own code is at fault.
    """
    with guarded(task, "wording its question"):
        text = task.ask(facts, options, language)
        if not isinstance(text, str) or not text.strip():
            raise TypeError(f"ask gave {text!r}, which is no question")
        return text


def options_json(options: msgspec.Struct) -> str:
    """Options as JSON, the same text for the same values."""
    return msgspec.json.encode(options, order="sorted").decode()


def options_of(task: AnyTask, call: TaskCall) -> msgspec.Struct:
    """The options that a call was made with."""
    return msgspec.json.decode(call.options, type=task.options_type)


def preparation_of(task: AnyTask, options: msgspec.Struct) -> Preparation | None:
    """What the task does to pictures; None for a task that leaves them alone."""
    if not task.prepares:
        return None

    def apply(image: Image, facts: Facts) -> Image | None:
        with guarded(task, "preparing the image"):
            made = task.prepare(image, facts, options)
            if made is not None and not (_is_picture(made) and made.width and made.height):
                raise TypeError(f"prepare gave {type(made).__name__}, not an image or None")
            return made

    return Preparation(f"{task.name} {task.version} {options_json(options)}", apply)


def preparation_by_key(plugins: Plugins | None, key: str) -> Preparation:
    """The preparation that once had this key.

    Raises:
        PluginError: its task is not loaded, or not in this version any more.
    """
    name, _, rest = key.partition(" ")
    task = plugins.tasks.get(name) if plugins else None
    if task is not None:
        options = rest.partition(" ")[2]
        with guarded(task, "reading its options"):
            made = preparation_of(task, msgspec.json.decode(options, type=task.options_type))
        if made is not None and made.key == key:
            return made
    raise PluginError(
        f"The image was prepared by the task {plain_line(name)}, which is not as it was",
        "Its plugin was removed or changed since.",
        "Ask with the task again.",
    )


def examined(task: AnyTask, image: Image, facts: Facts, options: msgspec.Struct) -> Facts:
    """The facts with what the task finds in the picture itself.

    Args:
        image: Upright 8-bit RGB at its full size.

    Raises:
        PluginError: the task's own code is at fault.
    """
    with guarded(task, "examining the image"):
        found = dict(task.examine(image, facts, options))
        msgspec.json.encode(found)  # what cannot cross a file or process is told here
    return msgspec.structs.replace(facts, values=facts.values | found)


def _is_picture(value: object) -> bool:
    from PIL.Image import Image

    return isinstance(value, Image)


@contextmanager
def guarded(task: AnyTask, doing: str) -> Iterator[None]:
    """Run a task's own code; whatever it raises becomes one error that names the task."""
    try:
        yield
    except GlmError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"The task {plain_line(task.name)} failed while {doing}",
            f"{type(error).__name__}: {plain_line(str(error))[:300]}",
            "Tell its author; glm4v-tui plugin list says which plugin it comes from.",
        ) from error
