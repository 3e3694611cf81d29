"""Everything that crosses the line between the interface and the model, and nothing else.

Commands go to the model, events come back. Two promises hold for every engine:

* every ``Generate`` ends in exactly one ``Finished`` or ``Failed`` with its ``request_id``;
  An engine elsewhere may ask before, by ``SendingWanted``; until it is answered the request waits;
* every ``LoadModel`` ends in exactly one ``Loaded`` or ``Failed`` without a ``request_id``.

All values are frozen; memory is in bytes, time in seconds.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

from glm4v_tui.chat import Message
from glm4v_tui.errors import (
    CheckpointError,
    EngineError,
    GlmError,
    ImageError,
    OutOfMemoryError,
    ServerError,
    SettingsError,
    UsageError,
    WithheldError,
    WorkerDiedError,
    WorkerSilentError,
)

SmallerImages = Literal["ask", "always", "never"]
"""Whether images may be read smaller when the memory does not suffice: only with consent."""


class Sampling(msgspec.Struct, frozen=True):
    """How the next token is chosen. None leaves a value to the checkpoint's own settings."""

    max_new_tokens: int = 1024
    temperature: float | None = None
    """0 is greedy: always the most probable token."""
    top_p: float | None = None
    top_k: int | None = None
    repetition_penalty: float | None = None
    seed: int | None = None


class ResultForm(msgspec.Struct, frozen=True):
    """What an answer is bound to while it is decoded."""

    schema: str
    """A JSON Schema: the answer is one JSON value of it."""
    reasoning_tokens: int = 0
    """Tokens of free text that may come before the result."""


class RgbImage(msgspec.Struct, frozen=True):
    """An upright 8-bit picture."""

    width: int
    height: int
    pixels: bytes
    """height * width * 3 bytes: rows from the top, R G B."""


# Commands ---------------------------------------------------------------------------------------


class LoadModel(msgspec.Struct, frozen=True, tag=True):
    model: str
    """A folder on this host or a hub id; with ``engine`` the name that its server gives it."""
    precision: str = "auto"
    device: str = "auto"
    keep_quantized: bool = False
    """Save weights that were quantized, so that the next start need not do it again."""
    engine: str = ""
    """The engine elsewhere, by its name in the settings; empty for this machine's own."""


class PutImage(msgspec.Struct, frozen=True, tag=True):
    """Give the worker the pixels behind ``Attachment.key``; kept until they are dropped."""

    key: str
    image: RgbImage


class DropImage(msgspec.Struct, frozen=True, tag=True):
    """Let go of an image; requests that were sent before still see it."""

    key: str


class Measure(msgspec.Struct, frozen=True, tag=True):
    """Ask what images of these sizes will cost. Answered by ``Measured``, also while answering."""

    sizes: tuple[tuple[int, int], ...]
    """(width, height) in pixels."""


class Generate(msgspec.Struct, frozen=True, tag=True):
    request_id: str
    messages: tuple[Message, ...]
    """Oldest first; the last one is the user's. All images were put before."""
    sampling: Sampling = Sampling()
    form: ResultForm | None = None
    """None for an answer in free text."""
    smaller_images: SmallerImages = "never"
    """``ask`` only where somebody is there to answer ``ConsentWanted``."""
    urgent: bool = True
    """Somebody waits for it. Others are answered several at a time, in any order, and wait while
    an urgent one is answered."""
    private_task: str = ""
    """The private task that any of it comes from: it stays on this machine unless the settings
    allow otherwise. Empty where there is none."""


class Score(msgspec.Struct, frozen=True, tag=True):
    """Ask how probable each of several answers is. Ends in one ``Scored``, ``Failed``, or
    ``Finished`` with the reason abort. A model that would think first is asked behind a closed,
    empty thought: how probable the answers are when it answers at once."""

    request_id: str
    messages: tuple[Message, ...]
    """Oldest first; the last one is the user's. All images were put before."""
    answers: tuple[str, ...]
    """At least one; none empty."""
    smaller_images: SmallerImages = "never"
    urgent: bool = True
    private_task: str = ""
    """All three as of ``Generate``."""


class Abort(msgspec.Struct, frozen=True, tag=True):
    """End a request within one decode step, queued or running; what was written stays."""

    request_id: str


class Consent(msgspec.Struct, frozen=True, tag=True):
    """Answer a ``ConsentWanted``; without one that waits it does nothing."""

    request_id: str
    is_given: bool


class Shutdown(msgspec.Struct, frozen=True, tag=True):
    pass


Command = LoadModel | PutImage | DropImage | Measure | Generate | Score | Abort | Consent | Shutdown


# Events -----------------------------------------------------------------------------------------


class FinishReason(StrEnum):
    STOP = "stop"
    LENGTH = "length"
    ABORT = "abort"


class FailureKind(StrEnum):
    CHECKPOINT = "checkpoint"
    OUT_OF_MEMORY = "out_of_memory"
    USAGE = "usage"
    IMAGE = "image"
    WORKER_DIED = "worker_died"
    WORKER_SILENT = "worker_silent"
    SERVER = "server"
    WITHHELD = "withheld"
    SETTINGS = "settings"
    INTERNAL = "internal"


class ModelInfo(msgspec.Struct, frozen=True):
    name: str
    """Short name for the status bar: the folder's or the hub id's last part."""
    model_type: str
    precision: str
    device: str
    parameters: int
    weight_bytes: int
    context_length: int | None
    """Tokens the model was made for; None when its configuration does not say."""
    load_s: float
    at_once: int = 1
    """Requests that are not urgent of which the model makes use at a time."""
    host: str = ""
    """Where it runs, safe to show; empty for this program's own process."""
    is_elsewhere: bool = False
    """That is not this machine: what is asked leaves it."""


class Usage(msgspec.Struct, frozen=True):
    prompt_tokens: int = 0
    """All tokens of the prompt, those of images included."""
    image_tokens: int | None = 0
    """Those of the images alone; None where they are not told apart."""
    completion_tokens: int = 0
    is_counted: bool = True
    """False where a server has not told both: the numbers are 0 then, and nobody knows them."""

    @property
    def told(self) -> dict[str, int | None]:
        """As it is written for others: None where nobody knows."""
        numbers = {
            "prompt_tokens": self.prompt_tokens,
            "image_tokens": self.image_tokens,
            "completion_tokens": self.completion_tokens,
        }
        return numbers if self.is_counted else dict.fromkeys(numbers)


UNCOUNTED = Usage(0, None, 0, is_counted=False)


class Timing(msgspec.Struct, frozen=True):
    first_token_s: float | None = None
    """From the start of the work on the request to its first token."""
    decode_tokens_per_s: float | None = None
    """Over the tokens after the first; None for fewer than two."""
    total_s: float = 0.0


class DeviceMemory(msgspec.Struct, frozen=True):
    """The allocator's view of one GPU, from inside the worker."""

    uuid: str
    """As NVML writes it, ``GPU-...``; empty when unknown."""
    allocated: int
    reserved: int
    """Allocated, plus what the allocator holds without using it."""
    peak: int
    """Highest ``allocated`` since the current or last request began."""


class Loading(msgspec.Struct, frozen=True, tag=True):
    stage: str
    """``start``, ``download``, ``weights`` or ``prepare``."""
    done: int = 0
    total: int = 0
    """Bytes of weights, tokens of a prompt that takes a while; 0 when there is no measure."""


class Loaded(msgspec.Struct, frozen=True, tag=True):
    model: ModelInfo


class Measured(msgspec.Struct, frozen=True, tag=True):
    """What images will cost, in the order of ``Measure.sizes``."""

    sizes: tuple[tuple[int, int], ...]
    seen: tuple[tuple[int, int], ...]
    """(width, height) the vision tower will work at."""
    tokens: tuple[int, ...]


class TextDelta(msgspec.Struct, frozen=True, tag=True):
    request_id: str
    text: str
    tokens: int = 1
    """Tokens behind this text."""


class Progress(msgspec.Struct, frozen=True, tag=True):
    request_id: str
    stage: str
    """``images`` (being prepared), ``prompt`` (being read), or ``weights`` (the model is loaded
    again, since the memory did not suffice)."""
    done: int = 0
    total: int = 0
    """Bytes of weights, tokens of a prompt that takes a while; 0 when there is no measure."""


class Eased(msgspec.Struct, frozen=True, tag=True):
    """The memory did not suffice, and something is done about it; the request goes on."""

    request_id: str
    rung: str
    """Which step of ``inference.rungs`` it is."""
    message: str
    """For the user; empty where only ``model`` is told."""
    model: ModelInfo | None = None
    """What is loaded now, after the model was loaded again in another way."""


class ConsentWanted(msgspec.Struct, frozen=True, tag=True):
    """The memory would suffice for smaller images; the request waits for ``Consent``."""

    request_id: str
    question: str
    """For the user, to be answered with yes or no."""
    before: tuple[int, int]
    after: tuple[int, int]
    """(width, height) at which the model sees the largest image, and would see it."""
    tokens_less: int


class Finished(msgspec.Struct, frozen=True, tag=True):
    request_id: str
    reason: FinishReason
    usage: Usage = Usage()
    timing: Timing = Timing()


class Scored(msgspec.Struct, frozen=True, tag=True):
    """How probable the answers of a ``Score`` are, in their order."""

    request_id: str
    log_likelihoods: tuple[float, ...]
    """Natural logarithm of the probability of all of an answer's tokens, the end not included.
    Empty where they cannot be known."""
    tokens: tuple[int, ...]
    """Tokens of each answer, to normalise by."""
    total_s: float = 0.0


class LeavingImage(msgspec.Struct, frozen=True):
    """What of an image would be sent: its pixels, encoded anew, and nothing else."""

    width: int
    height: int
    size: int
    """Bytes."""
    mime: str
    """``image/png`` or ``image/jpeg``."""


class SendingWanted(msgspec.Struct, frozen=True, tag=True):
    """Images are about to leave this machine for a host that nobody has allowed yet. The request
    waits for :meth:`Engine.allow_sending`."""

    request_id: str
    host: str
    images: tuple[LeavingImage, ...]
    warnings: tuple[str, ...] = ()
    """What else is to be known before: no encryption, a certificate that is not checked."""


class Failed(msgspec.Struct, frozen=True, tag=True):
    kind: FailureKind
    title: str
    body: str = ""
    remedy: str = ""
    request_id: str | None = None
    """None when loading failed."""
    trace: str = ""
    """The worker's traceback, for the log and ``--debug``."""


class MemoryReading(msgspec.Struct, frozen=True, tag=True):
    """Sent once a second while the worker lives; also its sign of life."""

    process: int
    """Resident bytes of the worker."""
    weights: int = 0
    """Bytes of the loaded parameters and buffers."""
    kv_cache: int = 0
    """Bytes of the keys and values of the current or last request."""
    devices: tuple[DeviceMemory, ...] = ()


class WorkerExited(msgspec.Struct, frozen=True, tag=True):
    """The worker is gone. What it was doing has already been reported as ``Failed``."""

    detail: str
    """How it ended, in words ("killed by signal 9 (SIGKILL)")."""
    expected: bool = False
    """True when this side asked for it."""


class WorkerSilent(msgspec.Struct, frozen=True, tag=True):
    """Nothing was heard for ``seconds``; repeated while it lasts, ended by any other event."""

    seconds: float


Event = (
    Loading
    | Loaded
    | Measured
    | TextDelta
    | Progress
    | Eased
    | ConsentWanted
    | Finished
    | Scored
    | Failed
    | MemoryReading
    | WorkerExited
    | WorkerSilent
    | SendingWanted
)

_ERRORS: dict[FailureKind, type[GlmError]] = {
    FailureKind.CHECKPOINT: CheckpointError,
    FailureKind.OUT_OF_MEMORY: OutOfMemoryError,
    FailureKind.USAGE: UsageError,
    FailureKind.SETTINGS: SettingsError,
    FailureKind.SERVER: ServerError,
    FailureKind.WITHHELD: WithheldError,
    FailureKind.IMAGE: ImageError,
    FailureKind.WORKER_DIED: WorkerDiedError,
    FailureKind.WORKER_SILENT: WorkerSilentError,
    FailureKind.INTERNAL: EngineError,
}


def error_of(failed: Failed) -> GlmError:
    """The exception that says what a ``Failed`` event says."""
    return _ERRORS[failed.kind](failed.title, failed.body, failed.remedy)


def failure_of(error: GlmError, request_id: str | None = None, trace: str = "") -> Failed:
    """The event that says what an exception says; the inverse of :func:`error_of`."""
    kind = next((kind for kind, cls in _ERRORS.items() if type(error) is cls), FailureKind.INTERNAL)
    return Failed(kind, error.title, error.body, error.remedy, request_id, trace)
