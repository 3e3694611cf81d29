"""The model as the worker sees it: load, measure, answer, tell the memory."""

from __future__ import annotations

import contextlib
import gc
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glm4v_tui.checkpoint import inspect_checkpoint, resolve_model
from glm4v_tui.engine.protocol import (
    DeviceMemory,
    Finished,
    FinishReason,
    Generate,
    Loading,
    LoadModel,
    Measured,
    ModelInfo,
    Progress,
    RgbImage,
    Sampling,
    Score,
    Scored,
    TextDelta,
    Timing,
    Usage,
)
from glm4v_tui.errors import CheckpointError, EngineError, NoModelError
from glm4v_tui.inference.image_store import ImageStore
from glm4v_tui.inference.read_ahead import read_ahead
from glm4v_tui.plan import shape_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image

    from glm4v_tui.checkpoint import CheckpointReport
    from glm4v_tui.engine.protocol import Event
    from glm4v_tui.inference.background import Background, Ended
    from glm4v_tui.inference.decoding import Answered, Decoder
    from glm4v_tui.inference.image_cost import ImageCost
    from glm4v_tui.inference.prompt import Prompt, PromptWriter
    from glm4v_tui.plan import Shape

    Emit = Callable[[Event], None]


class Backend:
    """One model at a time. ``memory`` and ``measure`` may be called from other threads."""

    def __init__(self) -> None:
        self._images = ImageStore()
        self._writer: PromptWriter | None = None
        self._decoder: Decoder | None = None
        self._cost: ImageCost | None = None
        self._background: Background | None = None
        self._writing = threading.Lock()
        """One prompt is made at a time: tokenizers promise nothing else."""
        self._gpus: tuple[int, ...] = ()
        self._weight_bytes = 0
        self._kv_bytes = 0

    # Loading --------------------------------------------------------------------------------

    def load(self, command: LoadModel, emit: Emit) -> ModelInfo:
        """Load a model in place of the present one.

        Raises:
            GlmError: what is wrong with the name, the folder, the device or the precision.
            Exception: anything a model library raises; ``failures`` puts it into words.
        """
        started = time.monotonic()
        self.unload()
        source = resolve_model(command.model)
        folder = source.folder
        if folder is None:
            assert source.hub_id is not None
            folder = _download(source.hub_id, source.revision, emit)
        report = inspect_checkpoint(Path(folder))
        report.require_loadable()
        read_ahead(Path(folder) / name for name in report.files)
        info = self._load(command, report, emit)
        return ModelInfo(
            name=source.short_name,
            model_type=report.model_type,
            precision=info[0],
            device=info[1],
            parameters=info[2],
            weight_bytes=self._weight_bytes,
            context_length=report.context_length,
            load_s=time.monotonic() - started,
            at_once=1 if self._background is None else self._background.at_once,
        )

    def unload(self) -> None:
        """Give back the model's memory; images stay."""
        if self._background is not None:
            self._background.close()
        self._writer = self._decoder = self._cost = self._background = None
        self._weight_bytes = self._kv_bytes = 0
        if self._gpus:
            self.recover()
        self._gpus = ()

    def _load(
        self, command: LoadModel, report: CheckpointReport, emit: Emit
    ) -> tuple[str, str, int]:
        from glm4v_tui.inference import loading
        from glm4v_tui.inference.background import Background
        from glm4v_tui.inference.decoding import Decoder
        from glm4v_tui.inference.environment import compute_threads, give_way
        from glm4v_tui.inference.image_cost import ImageCost
        from glm4v_tui.inference.placement import choose_placement
        from glm4v_tui.inference.prompt import PromptWriter

        loading.use_threads(compute_threads(report.parameters))
        placement = choose_placement(
            command.precision, command.device, report.bytes_as, _shape_of(report.folder)
        )
        if placement.device == "cpu":
            give_way()
        else:
            self._gpus = tuple(range(loading.gpu_count()))
        processor = loading.load_processor(report.folder)
        loaded = loading.load(
            report.folder,
            placement,
            lambda done, total: emit(Loading("weights", done, total)),
            keep=command.keep_quantized,
        )
        model = loaded.model
        emit(Loading("prepare"))
        image_token_id = _image_token_id(processor, model.config)
        self._weight_bytes, parameters = loading.count_weights(model)
        self._writer = PromptWriter(processor, image_token_id)
        self._decoder = Decoder(model, processor.tokenizer, report.context_length)
        self._cost = ImageCost(processor, image_token_id)
        self._decoder.prepare_forms()
        if self._decoder.own is not None:
            self._background = Background(self._decoder, self._prompt)
        if self._gpus:
            self._warm_up()
        return placement.precision, loaded.device, parameters

    def _warm_up(self) -> None:
        """Answer about a blank picture, so that the first question does not pay for CUDA's setup.

        It fails for the same reasons as a question would, and then the question tells them.
        """
        from PIL import Image

        from glm4v_tui.chat import Attachment, Message, Role

        assert self._writer is not None
        assert self._decoder is not None
        blank = Image.new("RGB", (448, 448))
        message = Message(Role.USER, "?", (Attachment("", "blank", *blank.size),))
        with contextlib.suppress(Exception):
            prompt = self._writer.write((message,), lambda _: blank)
            two = Sampling(max_new_tokens=2, temperature=0)
            self._decoder.answer(prompt, two, lambda *_: None, lambda: False)
        self.recover()

    # Answering ------------------------------------------------------------------------------

    def put_image(self, key: str, image: RgbImage) -> None:
        self._images.put(key, image)

    def drop_image(self, key: str) -> None:
        self._images.drop(key)

    @property
    def can_measure(self) -> bool:
        return self._cost is not None

    def measure(self, sizes: tuple[tuple[int, int], ...]) -> Measured:
        """What images of these (width, height) cost."""
        if self._cost is None:
            raise NoModelError("No model is loaded", "", "")
        costs = [self._cost.measure(size) for size in sizes]
        return Measured(sizes, tuple(seen for seen, _ in costs), tuple(cost for _, cost in costs))

    def generate(self, request: Generate, emit: Emit, should_stop: Callable[[], bool]) -> Finished:
        """Answer a conversation; text goes to ``emit`` as it comes."""
        started = time.monotonic()
        prompt, decoder = self._written(request, emit)
        name = request.request_id
        answered = decoder.answer(
            prompt,
            request.sampling,
            lambda text, tokens: emit(TextDelta(name, text, tokens)),
            should_stop,
            request.form,
        )
        self._kv_bytes = answered.kv_bytes
        decoder.run.cache = None
        return _finished(name, prompt, answered, started)

    def score(
        self, request: Score, emit: Emit, should_stop: Callable[[], bool]
    ) -> Scored | Finished:
        """How probable each of several answers is; ``Finished`` when it was stopped before."""
        from glm4v_tui.inference.likelihood import likelihoods_of

        started = time.monotonic()
        prompt, decoder = self._written(request, emit)
        found = likelihoods_of(decoder, prompt, request.answers, should_stop)
        self._kv_bytes = decoder.run.kv_bytes()
        decoder.run.cache = None
        if found is None:
            return Finished(request.request_id, FinishReason.ABORT)
        totals = tuple(one.total for one in found)
        tokens = tuple(one.tokens for one in found)
        return Scored(request.request_id, totals, tokens, time.monotonic() - started)

    def _written(self, request: Generate | Score, emit: Emit) -> tuple[Prompt, Decoder]:
        """The prompt of a request, and what reads it."""
        if self._writer is None or self._decoder is None:
            raise NoModelError(
                "No model is loaded", "Loading it failed or was never asked for.", ""
            )
        self._reset_peak()
        if any(message.attachments for message in request.messages):
            emit(Progress(request.request_id, "images"))
        prompt = self._prompt(request)
        emit(Progress(request.request_id, "prompt"))
        return prompt, self._decoder

    def _prompt(self, request: Generate | Score) -> Prompt:
        assert self._writer is not None
        with self._writing:
            return self._writer.write(request.messages, self._picture)

    # Requests that are not urgent -----------------------------------------------------------

    def keep_images(self, request: Generate | Score) -> None:
        """Hold a request's images until :meth:`let_go_images`."""
        for key in _keys(request):
            self._images.keep(key)

    def let_go_images(self, request: Generate | Score) -> None:
        for key in _keys(request):
            self._images.let_go(key)

    def can_join(self, request: Generate) -> bool:
        """Whether a request can be answered together with others."""
        decoder = self._decoder
        return self._background is not None and (
            decoder is not None and decoder.can_join(request.sampling, request.form)
        )

    def generate_ahead(
        self, request: Generate, emit: Emit, should_stop: Callable[[], bool]
    ) -> None:
        """Take a request that :meth:`can_join` others; :meth:`work_ahead` tells its end."""
        assert self._background is not None
        self._background.add(request, emit, should_stop)

    def work_ahead(
        self, is_interrupted: Callable[[], bool]
    ) -> list[tuple[Generate, Finished | Exception]]:
        """Do a piece of the work on such requests; those that have ended.

        Args:
            is_interrupted: True where something urgent waits.
        """
        if (background := self._background) is None:
            return []
        return [(one.request, _end_of(one)) for one in background.work(is_interrupted)]

    @property
    def is_idle_ahead(self) -> bool:
        """Whether there are no such requests."""
        return self._background is None or self._background.is_idle

    def forget_ahead(self) -> list[Generate]:
        """Give up what is answered together; all of these requests."""
        return [] if self._background is None else self._background.forget()

    def give_back_ahead(self) -> bool:
        """Give back the memory of answers that are written together; they go on later.

        Returns:
            Whether there was any.
        """
        if self._background is None or not self._background.batch.nbytes:
            return False
        self._background.batch.step_back()
        return True

    def recover(self) -> None:
        """After a failure: give back what the failed step held. Call outside its ``except``."""
        import torch

        if self._decoder is not None:
            self._decoder.run.cache = None
        gc.collect()
        if self._gpus:
            torch.cuda.empty_cache()

    def _picture(self, key: str) -> Image:
        from PIL import Image

        image = self._images.get(key)
        if image is None:
            raise EngineError(
                "An image of this conversation did not reach the model",
                f"Nothing was put under the key {key[:16]}.",
                "Attach the image again.",
            )
        return Image.frombuffer("RGB", (image.width, image.height), image.pixels)

    # Memory ---------------------------------------------------------------------------------

    @property
    def weight_bytes(self) -> int:
        return self._weight_bytes

    @property
    def kv_bytes(self) -> int:
        """Bytes of keys and values of the current or the last answers."""
        decoder, background = self._decoder, self._background
        with contextlib.suppress(RuntimeError):  # the caches may grow while they are counted
            together = 0 if background is None else background.batch.nbytes
            if decoder is not None and decoder.run.cache is not None:
                return decoder.run.kv_bytes() + together
            return self._kv_bytes + together
        return self._kv_bytes

    def device_memory(self) -> tuple[DeviceMemory, ...]:
        """The allocator's figures for every GPU in use; empty without one."""
        if not self._gpus:
            return ()
        import torch

        return tuple(
            DeviceMemory(
                uuid=f"GPU-{torch.cuda.get_device_properties(index).uuid}",
                allocated=torch.cuda.memory_allocated(index),
                reserved=torch.cuda.memory_reserved(index),
                peak=torch.cuda.max_memory_allocated(index),
            )
            for index in self._gpus
        )

    def _reset_peak(self) -> None:
        import torch

        for index in self._gpus:
            torch.cuda.reset_peak_memory_stats(index)


def _shape_of(folder: str) -> Shape | None:
    """What the plan knows of a checkpoint; None for one whose configuration it cannot read."""
    try:
        return shape_of(Path(folder))
    except CheckpointError:
        return None


def _download(hub_id: str, revision: str, emit: Emit) -> str:
    from glm4v_tui.inference.hub import fetch_checkpoint

    def tell(done: int, total: int) -> None:
        emit(Loading("download", done, total))

    return fetch_checkpoint(hub_id, tell, revision)


def _image_token_id(processor: Any, config: Any) -> int | None:
    """Where families keep the id of the token that stands for a piece of an image."""
    for owner, name in (
        (processor, "image_token_id"),
        (config, "image_token_id"),
        (config, "image_token_index"),
    ):
        value = getattr(owner, name, None)
        if isinstance(value, int):
            return value
    return None


def _keys(request: Generate | Score) -> list[str]:
    return [image.key for message in request.messages for image in message.attachments]


def _end_of(ended: Ended) -> Finished | Exception:
    if ended.error is not None:
        return ended.error
    name = ended.request.request_id
    if ended.prompt is None or ended.answered is None:
        return Finished(name, FinishReason.ABORT)
    return _finished(name, ended.prompt, ended.answered, ended.started)


def _finished(name: str, prompt: Prompt, answered: Answered, started: float) -> Finished:
    first, last = answered.first_token_at, answered.last_token_at
    decode_s = last - first if first is not None and last is not None else 0.0
    count = len(answered.tokens)
    return Finished(
        name,
        answered.reason,
        Usage(prompt.tokens, prompt.image_tokens, count),
        Timing(
            first_token_s=None if first is None else first - started,
            decode_tokens_per_s=(count - 1) / decode_s if count > 1 and decode_s > 0 else None,
            total_s=time.monotonic() - started,
        ),
    )
