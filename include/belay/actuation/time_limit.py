"""Ask a part with a limit of time: what does not answer is away, whatever the reason."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

_T = TypeVar("_T")


def within(seconds: float, name: str, act: Callable[[], _T]) -> _T:
    """Return what ``act`` returns, or raise what it raises, if it does within ``seconds``.

    It runs in a thread of its own, which goes on when nobody waits for it any more: ``act`` has to be safe
    to end late, or never.

    Raises
    ------
    TimeoutError
        When it does not; the message says that ``name`` did not answer.
    """
    answers: SimpleQueue[tuple[_T | None, BaseException | None]] = SimpleQueue()

    def run() -> None:
        try:
            answers.put((act(), None))
        except BaseException as error:  # noqa: BLE001 - it is raised where it was asked
            answers.put((None, error))

    Thread(target=run, name=f"within {seconds:g} s: {name}", daemon=True).start()
    try:
        answer, error = answers.get(timeout=seconds)
    except Empty:
        raise TimeoutError(f"{name} did not answer within {seconds:g} s") from None
    if error is not None:
        raise error
    return answer  # type: ignore[return-value]  # the pair holds one or the other
