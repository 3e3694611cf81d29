"""What is asked and not urgent: kept with its images until it has ended, together or alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glm4v_tui.engine.protocol import Finished, FinishReason
from glm4v_tui.inference.background import Alone, Background
from glm4v_tui.inference.finishing import finished

if TYPE_CHECKING:
    from collections.abc import Callable

    from glm4v_tui.engine.protocol import Event, Generate, Score
    from glm4v_tui.inference.background import Ended
    from glm4v_tui.inference.decoding import Decoder
    from glm4v_tui.inference.image_store import ImageStore
    from glm4v_tui.inference.prompt import Prompt

    Emit = Callable[[Event], None]
    ShouldStop = Callable[[], bool]


class Ahead:
    """The requests of one worker that are not urgent; they outlast the model.

    Args:
        write: Makes a prompt of a request; called in a thread of its own.
    """

    def __init__(self, images: ImageStore, write: Callable[[Generate, Emit], Prompt]) -> None:
        self._images = images
        self._together = Background(write)
        self._decoder: Decoder | None = None
        self._alone: dict[str, Alone] = {}
        """Requests that were begun before, by their id."""

    # Requests -------------------------------------------------------------------------------

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

    def add(self, request: Generate, emit: Emit, should_stop: ShouldStop) -> None:
        """Take a request that :meth:`can_join` others; :meth:`work` tells its end."""
        self._together.add(request, emit, should_stop)

    def work(
        self, is_interrupted: ShouldStop
    ) -> list[tuple[Generate, Finished | Exception | None]]:
        """Do a piece of the work on such requests.

        Args:
            is_interrupted: True where something urgent waits.

        Returns:
            Those that have ended; and with None those that ``Backend.generate`` is to go on with,
            since the memory does not suffice for them beside others.
        """
        return [(one.request, self._end_of(one)) for one in self._together.work(is_interrupted)]

    def put_off(self, begun: Alone) -> None:
        """Keep what there is of an answer that is gone on with later."""
        self._alone[begun.request.request_id] = begun

    def begun(self, request: Generate) -> Alone | None:
        """What there is of an answer that was begun before."""
        return self._alone.pop(request.request_id, None)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to :meth:`work` on."""
        return self._together.is_idle

    def forget(self) -> list[Generate]:
        """Give up what is answered together; all of these requests."""
        return self._together.forget()

    def _end_of(self, one: Ended | Alone) -> Finished | Exception | None:
        if isinstance(one, Alone):
            self.put_off(one)
            return None
        name = one.request.request_id
        if one.error is not None:
            return one.error
        if one.prompt is None or one.answered is None:
            return Finished(name, FinishReason.ABORT)
        return finished(name, one.prompt, one.answered, one.started)

    # The model and its memory ---------------------------------------------------------------

    def use(self, decoder: Decoder) -> None:
        """Answer with this model from now on."""
        self._decoder = decoder
        self._together.use(decoder)

    def leave(self) -> None:
        """Let go of the model, which goes; requests wait for the next one."""
        self._decoder = None
        self._together.leave()

    @property
    def at_once(self) -> int:
        """Requests that are of use at a time."""
        return self._together.at_once

    @property
    def nbytes(self) -> int:
        """Of the keys and values of answers that are written together."""
        return self._together.nbytes

    def give_back(self) -> None:
        """Give that memory back; they go on later, fewer at a time."""
        self._together.give_back()


def _keys(request: Generate | Score) -> list[str]:
    return [image.key for message in request.messages for image in message.attachments]
