"""The model as the worker sees it: load, measure, answer, tell the memory."""

from __future__ import annotations

import contextlib
import gc
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

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
    Usage,
)
from glm4v_tui.errors import EngineError, NoModelError
from glm4v_tui.inference.ahead import Ahead
from glm4v_tui.inference.background import Alone
from glm4v_tui.inference.device_memory import device_memory, reset_peaks
from glm4v_tui.inference.draft import Draft
from glm4v_tui.inference.finishing import finished
from glm4v_tui.inference.image_store import ImageStore
from glm4v_tui.inference.ladder import Climb, climb
from glm4v_tui.inference.loaded import find, load, place
from glm4v_tui.inference.reading_progress import told_now_and_then
from glm4v_tui.inference.rungs import RUNGS
from glm4v_tui.inference.savings import Kept, Savings
from glm4v_tui.inference.smaller_images import SmallerImages

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image

    from glm4v_tui.engine.protocol import ConsentWanted, Event
    from glm4v_tui.inference.decoding import Decoder
    from glm4v_tui.inference.draft import Answered
    from glm4v_tui.inference.image_cost import ImageCost
    from glm4v_tui.inference.ladder import Ask
    from glm4v_tui.inference.layout import Layout, Sizes
    from glm4v_tui.inference.likelihood import Likelihood
    from glm4v_tui.inference.loaded import Chosen
    from glm4v_tui.inference.prompt import Prompt
    from glm4v_tui.inference.smaller_images import Proposal

    Emit = Callable[[Event], None]
    OnBytes = Callable[[int, int], None]


class State(NamedTuple):
    """What was given up for want of memory."""

    savings: Savings
    has_kv_in_host: bool
    smaller_images: SmallerImages


def _nobody(_: ConsentWanted) -> bool:
    return False


def _never() -> bool:
    return False


class Backend:
    """One model at a time. ``memory`` and ``measure`` may be called from other threads."""

    def __init__(self) -> None:
        self._images = ImageStore()
        self._decoder: Decoder | None = None
        self._cost: ImageCost | None = None
        self._writing = threading.Lock()
        """One prompt is made at a time: tokenizers promise nothing else."""
        self.ahead: Ahead = Ahead(self._images, self._prompt)
        """Requests that are not urgent."""
        self._gpus: tuple[int, ...] = ()
        self._weight_bytes = 0
        self._kv_bytes = 0
        self._chosen: Chosen | None = None
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
        chosen = find(command, emit)
        self._load(chosen, lambda done, total: emit(Loading("weights", done, total)))
        emit(Loading("prepare"))
        if self._gpus:
            self._warm_up()
        self._chosen = chosen
        assert self.info is not None
        self.info = msgspec.structs.replace(
            self.info, load_s=time.monotonic() - started, at_once=self.ahead.at_once
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
        self.ahead.leave()
        self._decoder = self._cost = None
        self.tower_ids = frozenset()
        self._weight_bytes = self._kv_bytes = 0
        if self._gpus:
            self.recover()
        self._gpus = ()

    def _load(self, chosen: Chosen, on_bytes: OnBytes) -> None:
        from glm4v_tui.inference import loading
        from glm4v_tui.inference.environment import give_way

        placement = place(chosen, self.savings)
        if placement.device == "cpu":
            give_way()
        else:
            self._gpus = tuple(range(loading.gpu_count()))
        loaded = load(chosen, placement, on_bytes)
        self._decoder, self._cost = loaded.decoder, loaded.cost
        self._decoder.keeps_kv_in_host = self._has_kv_in_host
        self.smaller_images.use(loaded.processor, loaded.writer, loaded.cost)
        self.ahead.use(loaded.decoder)
        self.layout, self.sizes, self.tower_ids = loaded.layout, loaded.sizes, loaded.tower_ids
        self._weight_bytes = loaded.info.weight_bytes
        self.info = msgspec.structs.replace(loaded.info, at_once=self.ahead.at_once)

    def _warm_up(self) -> None:
        """Go through a question about a blank picture, so that the first one in earnest does not
        pay for CUDA's setup and for compilers.

        It fails for the same reasons as a question would, and then the question tells them.
        """
        from PIL import Image

        from glm4v_tui.chat import Attachment, Message, Role
        from glm4v_tui.inference.language.readying import compile_ahead

        assert self._decoder is not None
        blank = Image.new("RGB", (448, 448))
        message = Message(Role.USER, "?", (Attachment("", "blank", *blank.size),))
        with contextlib.suppress(Exception):
            prompt = self.smaller_images.write((message,), lambda _: blank, for_all=False)
            own = self._decoder.own
            if own is not None and own.weights is not None:
                compile_ahead(own, prompt)
            else:
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
        gives_way: Callable[[], bool] = _never,
    ) -> Finished:
        """Answer a conversation; text goes to ``emit`` as it comes.

        What was begun before is gone on with: together with others, or until it gave way.

        Args:
            ask: Whether images may be read smaller; waits for the user.
            gives_way: Asked as ``should_stop`` is; True, which it stays then, ends it as an abort
                would, and keeps what is written for the next time that the request is answered.
        """
        name, begun = request.request_id, self.ahead.begun(request)
        started = time.monotonic() if begun is None else begun.started
        draft = Draft() if begun is None else begun.draft
        one = Climb(self, request, emit, should_stop, ask)

        def answer() -> tuple[Prompt, Answered]:
            prompt, decoder = self._written(one)
            answered = decoder.answer(
                prompt,
                request.sampling,
                lambda text, tokens: emit(TextDelta(name, text, tokens)),
                lambda: should_stop() or gives_way(),
                request.form,
                draft,
                told_now_and_then(name, emit),
            )
            decoder.run.cache = None
            return prompt, answered

        goes_on = False
        try:
            ended = climb(answer, one, RUNGS)
            is_cut = ended is not None and ended[1].reason is FinishReason.ABORT
            goes_on = is_cut and not should_stop()
        finally:
            if not goes_on:
                draft.finish()
        if goes_on:
            draft.rest()
            self.ahead.put_off(Alone(request, draft, started))
        if ended is None:
            return Finished(name, FinishReason.ABORT, Usage(0, 0, len(draft.tokens)))
        prompt, answered = ended
        self._kv_bytes = answered.kv_bytes
        return finished(name, prompt, answered, started)

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
        reset_peaks(self._gpus)
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
            together = self.ahead.nbytes
            if decoder is not None and decoder.run.cache is not None:
                return decoder.run.kv_bytes() + together
        return self._kv_bytes + together

    def device_memory(self) -> tuple[DeviceMemory, ...]:
        """The allocator's figures for every GPU in use; empty without one."""
        return device_memory(self._gpus)
