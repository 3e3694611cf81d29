"""The model as the worker sees it: load, measure, answer, tell the memory."""

from __future__ import annotations

import contextlib
import gc
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from glm4v_tui.checkpoint import inspect_checkpoint, resolve_model
from glm4v_tui.engine.protocol import (
    DeviceMemory,
    Eased,
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
from glm4v_tui.inference.background import Alone, Background
from glm4v_tui.inference.draft import Draft
from glm4v_tui.inference.image_store import ImageStore
from glm4v_tui.inference.ladder import Climb, climb
from glm4v_tui.inference.read_ahead import read_ahead
from glm4v_tui.inference.rungs import RUNGS
from glm4v_tui.inference.savings import Kept, Savings
from glm4v_tui.inference.smaller_images import SmallerImages
from glm4v_tui.plan import shape_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image

    from glm4v_tui.checkpoint import CheckpointReport
    from glm4v_tui.engine.protocol import ConsentWanted, Event
    from glm4v_tui.inference.background import Ended
    from glm4v_tui.inference.decoding import Decoder
    from glm4v_tui.inference.draft import Answered
    from glm4v_tui.inference.image_cost import ImageCost
    from glm4v_tui.inference.ladder import Ask
    from glm4v_tui.inference.layout import Layout, Sizes
    from glm4v_tui.inference.likelihood import Likelihood
    from glm4v_tui.inference.prompt import Prompt
    from glm4v_tui.inference.smaller_images import Proposal
    from glm4v_tui.plan import Shape

    Emit = Callable[[Event], None]
    OnBytes = Callable[[int, int], None]


class _Chosen(NamedTuple):
    """What was loaded last; loaded again where the memory does not suffice."""

    command: LoadModel
    name: str
    report: CheckpointReport


class State(NamedTuple):
    """What was given up for want of memory."""

    savings: Savings
    has_kv_in_host: bool
    smaller_images: SmallerImages


def _nobody(_: ConsentWanted) -> bool:
    return False


class Backend:
    """One model at a time. ``memory`` and ``measure`` may be called from other threads."""

    def __init__(self) -> None:
        self._images = ImageStore()
        self._decoder: Decoder | None = None
        self._cost: ImageCost | None = None
        self._writing = threading.Lock()
        """One prompt is made at a time: tokenizers promise nothing else."""
        self._ahead = Background(self._prompt)
        self._alone: dict[str, Alone] = {}
        """Requests that were begun together with others, by their id."""
        self._gpus: tuple[int, ...] = ()
        self._weight_bytes = 0
        self._kv_bytes = 0
        self._chosen: _Chosen | None = None
        self.info: ModelInfo | None = None
        """Of the model that was loaded last, also while it is loaded again."""
        self.layout: Layout | None = None
        self.sizes: Sizes | None = None
        self.tower_ids: frozenset[int] = frozenset()
        """``id`` of all modules of the vision towers."""
        self.savings = Savings()
        self._has_kv_in_host = False
        self.smaller_images = SmallerImages()
        self.kept: list[Kept] = [
            Kept(
                "the pixels of images",
                is_on_gpu=False,
                nbytes=lambda: self._images.held_bytes,
                release=self._images.spill,
            ),
            Kept(
                "what was read before",
                is_on_gpu=True,
                nbytes=lambda: self._decoder.kept_bytes if self._decoder else 0,
                release=lambda: self._decoder.release() if self._decoder else None,
            ),
        ]
        """What may be let go of when the memory does not suffice."""

    # Loading --------------------------------------------------------------------------------

    def load(self, command: LoadModel, emit: Emit) -> ModelInfo:
        """Load a model in place of the present one.

        Raises:
            GlmError: what is wrong with the name, the folder, the device or the precision.
            Exception: anything a model library raises; ``failures`` puts it into words.
        """
        started = time.monotonic()
        self.unload()
        self._chosen, self.savings, self._has_kv_in_host = None, Savings(), False
        self.smaller_images = SmallerImages()
        source = resolve_model(command.model)
        folder = source.folder
        if folder is None:
            assert source.hub_id is not None
            folder = _download(source.hub_id, source.revision, emit)
        report = inspect_checkpoint(Path(folder))
        report.require_loadable()
        read_ahead(Path(folder) / name for name in report.files)
        chosen = _Chosen(command, source.short_name, report)
        self._load(chosen, lambda done, total: emit(Loading("weights", done, total)))
        emit(Loading("prepare"))
        if self._gpus:
            self._warm_up()
        self._chosen = chosen
        assert self.info is not None
        self.info = msgspec.structs.replace(
            self.info, load_s=time.monotonic() - started, at_once=self._ahead.at_once
        )
        return self.info

    def reload(self, savings: Savings, on_bytes: OnBytes) -> ModelInfo:
        """Load the same model in another way; images stay.

        When that fails there is no model, and the next request loads it as it was before.
        """
        before, self.savings = self.savings, savings
        try:
            return self._load_again(on_bytes)
        except BaseException:
            self.savings = before
            raise

    def _load_again(self, on_bytes: OnBytes) -> ModelInfo:
        assert self._chosen is not None
        self.unload()
        gc.collect()
        try:
            self._load(self._chosen, on_bytes)
        except BaseException:
            self.unload()
            raise
        assert self.info is not None
        return self.info

    def unload(self) -> None:
        """Give back the model's memory; images stay."""
        self._ahead.leave()
        self._decoder = self._cost = None
        self.tower_ids = frozenset()
        self._weight_bytes = self._kv_bytes = 0
        if self._gpus:
            self.recover()
        self._gpus = ()

    def _load(self, chosen: _Chosen, on_bytes: OnBytes) -> None:
        from glm4v_tui.inference import loading
        from glm4v_tui.inference.arranging import tower_ids
        from glm4v_tui.inference.decoding import Decoder
        from glm4v_tui.inference.environment import compute_threads, give_way
        from glm4v_tui.inference.image_cost import ImageCost
        from glm4v_tui.inference.placement import choose_placement
        from glm4v_tui.inference.prepared_images import remember_images
        from glm4v_tui.inference.prompt import PromptWriter

        started = time.monotonic()
        command, name, report = chosen
        loading.use_threads(compute_threads(report.parameters))
        precision = self.savings.precision or command.precision
        placement = choose_placement(
            precision, command.device, report.bytes_as, _shape_of(report.folder)
        )
        placement = self.savings.applied(placement)
        if placement.device == "cpu":
            give_way()
        else:
            self._gpus = tuple(range(loading.gpu_count()))
        processor = loading.load_processor(report.folder)
        loaded = loading.load(report.folder, placement, on_bytes, keep=command.keep_quantized)
        model = loaded.model
        image_token_id = _image_token_id(processor, model.config)
        self._weight_bytes, parameters = loading.count_weights(model)
        self._decoder = Decoder(model, processor.tokenizer, report.context_length)
        self._decoder.keeps_kv_in_host = self._has_kv_in_host
        self._cost = ImageCost(processor, image_token_id)
        self.smaller_images.use(processor, PromptWriter(processor, image_token_id), self._cost)
        if self._decoder.own is not None and processor.image_processor is not None:
            remember_images(processor.image_processor)
        self._decoder.prepare_forms()
        self._ahead.use(self._decoder)
        self.layout, self.sizes = loaded.layout, loaded.sizes
        self.tower_ids = tower_ids(model)
        self.info = ModelInfo(
            name=name,
            model_type=report.model_type,
            precision=placement.precision,
            device=loaded.device,
            parameters=parameters,
            weight_bytes=self._weight_bytes,
            context_length=report.context_length,
            load_s=time.monotonic() - started,
            at_once=self._ahead.at_once,
        )

    def _warm_up(self) -> None:
        """Answer about a blank picture, so that the first question does not pay for CUDA's setup.

        It fails for the same reasons as a question would, and then the question tells them.
        """
        from PIL import Image

        from glm4v_tui.chat import Attachment, Message, Role

        assert self._decoder is not None
        blank = Image.new("RGB", (448, 448))
        message = Message(Role.USER, "?", (Attachment("", "blank", *blank.size),))
        with contextlib.suppress(Exception):
            prompt = self.smaller_images.write((message,), lambda _: blank, for_all=False)
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

    def generate(
        self,
        request: Generate,
        emit: Emit,
        should_stop: Callable[[], bool],
        ask: Ask = _nobody,
    ) -> Finished:
        """Answer a conversation; text goes to ``emit`` as it comes.

        What was begun together with others is gone on with.

        Args:
            ask: Whether images may be read smaller; waits for the user.
        """
        name, begun = request.request_id, self._alone.pop(request.request_id, None)
        started = time.monotonic() if begun is None else begun.started
        draft = Draft() if begun is None else begun.draft
        one = Climb(self, request, emit, should_stop, ask)

        def answer() -> tuple[Prompt, Answered]:
            prompt, decoder = self._written(one)
            answered = decoder.answer(
                prompt,
                request.sampling,
                lambda text, tokens: emit(TextDelta(name, text, tokens)),
                should_stop,
                request.form,
                draft,
            )
            decoder.run.cache = None
            return prompt, answered

        try:
            ended = climb(answer, one, RUNGS)
        finally:
            draft.finish()
        if ended is None:
            return Finished(name, FinishReason.ABORT, Usage(0, 0, len(draft.tokens)))
        prompt, answered = ended
        self._kv_bytes = answered.kv_bytes
        return _finished(name, prompt, answered, started)

    def score(
        self,
        request: Score,
        emit: Emit,
        should_stop: Callable[[], bool],
        ask: Ask = _nobody,
    ) -> Scored | Finished:
        """How probable each of several answers is; ``Finished`` when it was stopped before."""
        from glm4v_tui.inference.likelihood import likelihoods_of

        started = time.monotonic()
        one = Climb(self, request, emit, should_stop, ask)

        def read() -> list[Likelihood] | None:
            prompt, decoder = self._written(one)
            found = likelihoods_of(decoder, prompt, request.answers, should_stop)
            self._kv_bytes = decoder.run.kv_bytes()
            decoder.run.cache = None
            return found

        found = climb(read, one, RUNGS)
        if found is None:
            return Finished(request.request_id, FinishReason.ABORT)
        totals = tuple(one.total for one in found)
        tokens = tuple(one.tokens for one in found)
        return Scored(request.request_id, totals, tokens, time.monotonic() - started)

    def _written(self, one: Climb) -> tuple[Prompt, Decoder]:
        """The prompt of a request, and what reads it."""
        request, emit = one.request, one.emit
        if self._decoder is None and self._chosen is not None:  # it was to be loaded otherwise
            emit(Eased(request.request_id, "loaded", "", self._load_again(one.tell_bytes)))
        if self._decoder is None:
            raise NoModelError(
                "No model is loaded", "Loading it failed or was never asked for.", ""
            )
        self._reset_peak()
        if any(message.attachments for message in request.messages):
            emit(Progress(request.request_id, "images"))
        prompt = self._prompt(request, emit, is_first=not one.tried)
        emit(Progress(request.request_id, "prompt"))
        return prompt, self._decoder

    def _prompt(self, request: Generate | Score, emit: Emit, *, is_first: bool = True) -> Prompt:
        for_all = request.smaller_images == "always"
        with self._writing:
            prompt = self.smaller_images.write(request.messages, self._picture, for_all=for_all)
            note = self.smaller_images.tells_of(request.messages)
        if is_first and note:
            emit(Eased(request.request_id, "smaller images", note))
        return prompt

    # Requests that are not urgent -----------------------------------------------------------

    def keep(self, request: Generate | Score) -> None:
        """Hold a request's images until :meth:`let_go`."""
        for key in _keys(request):
            self._images.keep(key)

    def let_go(self, request: Generate | Score) -> None:
        """The request has ended."""
        for key in _keys(request):
            self._images.let_go(key)
        self._alone.pop(request.request_id, None)

    def can_join(self, request: Generate) -> bool:
        """Whether a request can be answered together with others."""
        decoder = self._decoder
        return decoder is not None and decoder.can_join(request.sampling, request.form)

    def generate_ahead(
        self, request: Generate, emit: Emit, should_stop: Callable[[], bool]
    ) -> None:
        """Take a request that :meth:`can_join` others; :meth:`work_ahead` tells its end."""
        self._ahead.add(request, emit, should_stop)

    def work_ahead(
        self, is_interrupted: Callable[[], bool]
    ) -> list[tuple[Generate, Finished | Exception | None]]:
        """Do a piece of the work on such requests.

        Args:
            is_interrupted: True where something urgent waits.

        Returns:
            Those that have ended; and with None those that :meth:`generate` is to go on with, since
            the memory does not suffice for them beside others.
        """
        return [(one.request, self._end_of(one)) for one in self._ahead.work(is_interrupted)]

    def _end_of(self, one: Ended | Alone) -> Finished | Exception | None:
        if isinstance(one, Alone):
            self._alone[one.request.request_id] = one
            return None
        return _end_of(one)

    @property
    def is_idle_ahead(self) -> bool:
        """Whether there are no such requests."""
        return self._ahead.is_idle

    def forget_ahead(self) -> list[Generate]:
        """Give up what is answered together; all of these requests."""
        return self._ahead.forget()

    @property
    def holds_ahead(self) -> bool:
        """Whether answers that are written together have memory."""
        return self._ahead.nbytes > 0

    def give_back_ahead(self) -> None:
        """Give that memory back; they go on later, fewer at a time."""
        self._ahead.give_back()
        self.recover()

    # What the ladder does -------------------------------------------------------------------

    @property
    def is_on_gpu(self) -> bool:
        return self.info is not None and self.info.device != "cpu"

    @property
    def can_quantize(self) -> bool:
        """False for weights that are stored quantized."""
        return self._chosen is not None and not (self.is_on_gpu and self.layout is None)

    @property
    def state(self) -> State:
        """What has been given up so far."""
        return State(self.savings, self._has_kv_in_host, self.smaller_images.copy())

    def take_back(self, state: State) -> None:
        """Nothing is gained by what was given up since: the next request begins as this one did."""
        parked = msgspec.structs.replace(state.savings, vision=self.savings.vision)
        if self.savings != parked:
            self.unload()
            gc.collect()
            parked = state.savings
        self.savings, self.smaller_images = parked, state.smaller_images
        self.keeps_kv_in_host = state.has_kv_in_host

    @property
    def releasable(self) -> list[Kept]:
        return [one for one in self.kept if one.is_on_gpu == self.is_on_gpu and one.nbytes()]

    @property
    def keeps_kv_in_host(self) -> bool:
        return self._has_kv_in_host

    @keeps_kv_in_host.setter
    def keeps_kv_in_host(self, value: bool) -> None:
        self._has_kv_in_host = value
        if self._decoder is not None:
            self._decoder.keeps_kv_in_host = value

    def propose_smaller(self, one: Climb) -> Proposal | None:
        """How the images of a request could be read smaller."""
        return self.smaller_images.propose(
            one.request.messages, self._images.size, for_all=one.reads_all_smaller
        )

    def move_towers(self, vision: Literal["parked", "streamed"]) -> None:
        """Let the vision towers leave the GPU, where they are now."""
        from glm4v_tui.inference.arranging import move_towers

        assert self._decoder is not None
        assert self.layout is not None
        assert self.info is not None
        try:
            move_towers(self._decoder.model, vision, self.layout.gpu)
        except Exception:
            self.unload()  # a part may have left already; the next request loads all of it again
            raise
        self.layout = replace(self.layout, vision=vision)
        self.info = msgspec.structs.replace(self.info, device=self.layout.name)
        self.savings = msgspec.structs.replace(self.savings, vision=vision)
        self.recover()

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

        from glm4v_tui.inference.prepared_images import name_image

        image = self._images.get(key)
        if image is None:
            raise EngineError(
                "An image of this conversation did not reach the model",
                f"Nothing was put under the key {key[:16]}.",
                "Attach the image again.",
            )
        picture = Image.frombuffer("RGB", (image.width, image.height), image.pixels)
        return name_image(picture, key)

    # Memory ---------------------------------------------------------------------------------

    @property
    def weight_bytes(self) -> int:
        return self._weight_bytes

    @property
    def kv_bytes(self) -> int:
        """Bytes of keys and values of the current or the last answers."""
        decoder, together = self._decoder, 0
        with contextlib.suppress(RuntimeError):  # the caches may grow while they are counted
            together = self._ahead.nbytes
            if decoder is not None and decoder.run.cache is not None:
                return decoder.run.kv_bytes() + together
        return self._kv_bytes + together

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
