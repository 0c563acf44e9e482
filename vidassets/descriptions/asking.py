"""Ask an endpoint about frames: each picture once, within the budget and the rate, and no paid answer is lost."""

import queue
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from vidassets.descriptions.answers import Answer, FrameToDescribe, answer_from_call, call_key, parameters_hash
from vidassets.descriptions.budget import Budget, Reservation
from vidassets.descriptions.ledger import Ledger, PaidCall
from vidassets.descriptions.pacing import Pacer, backoff_s
from vidassets.descriptions.prices import Price, usd
from vidassets.descriptions.wire import Completion, Question
from vidassets.errors import DescriberError

# An answer that violates the schema costs as much as a good one, so only two more tries are made (chosen here).
MALFORMED_RETRIES = 2
# Seconds to wait for answers under way when a run is interrupted (chosen here).
GRACE_S = 1.0


class CallError(DescriberError):
    """A request got no answer.

    Attributes:
        may_be_charged: the request reached the endpoint and may have been processed.
        retry: another try may succeed.
        wait_s: how long the endpoint asks clients to wait; None if it does not say.
    """

    def __init__(self, text: str, *, may_be_charged: bool, retry: bool, wait_s: float | None = None):
        super().__init__(text)
        self.may_be_charged = may_be_charged
        self.retry = retry
        self.wait_s = wait_s


# Sends one request about one JPEG with an idempotency key. Raises CallError, or DescriberError if every request would
# fail.
Send = Callable[[Question, bytes, str], Completion]


@dataclass(frozen=True, slots=True)
class RequestPolicy:
    """Concurrency, retries and waiting times; nothing here changes an answer."""

    concurrency: int
    max_retries: int
    first_backoff_s: float
    longest_wait_s: float
    max_failures_in_a_row: int


@dataclass(slots=True)
class _Tries:
    """The requests made for one frame so far."""

    reservation: Reservation | None = None  # open: its call was not sent, or was refused before any work
    malformed_before: int = 0  # in earlier runs
    lost_nanousd: int = 0  # charged, or possibly charged, without a usable answer
    failures: int = 0
    malformed: int = 0
    error: str | None = None


@dataclass
class Asking:
    """The requests about one clip's frames."""

    clip: str
    question: Question
    send: Send
    ledger: Ledger
    budget: Budget
    price: Price | None
    pacer: Pacer
    policy: RequestPolicy
    stop: threading.Event = field(default_factory=threading.Event)
    jitter: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self._parameters_hash = parameters_hash(self.question.identity())
        self._prompt_hash = self._parameters_hash[:16]

    def answers(self, frames: Sequence[FrameToDescribe]) -> Iterator[Answer]:
        """Yield one answer per frame, in the order they arrive. A closed generator stops within `GRACE_S`.

        Raises:
            DescriberError: every request would fail, or too many failed in a row. Paid calls are in the ledger.
        """
        # Frames with the same picture share one call.
        alike: dict[str, list[FrameToDescribe]] = {}
        for frame in frames:
            alike.setdefault(call_key(frame.image_hash, self._parameters_hash), []).append(frame)
        todo: queue.SimpleQueue[tuple[str, FrameToDescribe]] = queue.SimpleQueue()
        done: queue.SimpleQueue[tuple[str, Answer] | BaseException] = queue.SimpleQueue()
        for key, (frame, *_) in alike.items():
            todo.put((key, frame))
        # Daemon threads, so that a call that hangs cannot keep an interrupted process alive.
        workers = [
            threading.Thread(target=self._work, args=(todo, done), name=f"ask-{n}", daemon=True)
            for n in range(min(self.policy.concurrency, len(alike)))
        ]
        try:
            for worker in workers:
                worker.start()
            failures = 0
            for _ in range(len(alike)):
                outcome = done.get()
                if isinstance(outcome, BaseException):
                    raise outcome
                key, answer = outcome
                failures = failures + 1 if answer.status == "failed" else 0
                if failures >= self.policy.max_failures_in_a_row:
                    raise DescriberError(
                        f"{self.clip}: {failures} frames failed in a row, so the endpoint is considered down. The last "
                        f"error: {answer.error}. Answers so far are kept: fix the endpoint and run again."
                    )
                yield answer
                for same in alike[key][1:]:
                    is_reused = answer.status in ("ok", "truncated", "refused")
                    yield replace(answer, frame_index=same.frame_index, pts_s=same.pts_s, reused=is_reused)
        finally:
            self.stop.set()
            deadline = time.monotonic() + GRACE_S
            for worker in workers:
                if worker.ident is not None:
                    worker.join(max(0.0, deadline - time.monotonic()))

    def _work(self, todo: queue.SimpleQueue, done: queue.SimpleQueue) -> None:
        while not self.stop.is_set():
            try:
                key, frame = todo.get_nowait()
                done.put((key, self._answer(key, frame)))
            except queue.Empty:
                return
            except BaseException as error:  # noqa: BLE001 (raised again in the thread that reads the answers)
                done.put(error)
                self.stop.set()  # the reading thread may be busy: send no other frame meanwhile
                return

    def _answer(self, key: str, frame: FrameToDescribe) -> Answer:
        known = self.ledger.find(key)
        if known is not None:
            return answer_from_call(frame, known, reused=True)
        tries = _Tries(malformed_before=self.ledger.n_malformed(key))
        try:
            while True:
                reservation = None if self.stop.is_set() else self._reserve(key, frame, tries)
                if self.stop.is_set():
                    return self._failed(frame, tries, "not asked: broken off")
                if reservation is None:
                    return self._over_budget(frame, tries)
                answer = self._try(key, frame, tries, reservation)
                if answer is not None:
                    return answer
        finally:
            self._release(key, frame, tries)

    def _bound(self, frame: FrameToDescribe) -> int:
        if self.price is None:
            return 0
        question = self.question
        return self.price.bound_nanousd(
            question.text(), frame.width, frame.height, question.detail, question.max_tokens
        )

    def _reserve(self, key: str, frame: FrameToDescribe, tries: _Tries) -> Reservation | None:
        """Reserve the most that the next request can cost, and record it. Return None if a budget forbids it."""
        # If a reservation is open, the last request cost nothing for certain: it is used again.
        if tries.reservation is None:
            tries.reservation = self.budget.reserve(self._bound(frame), self.stop)
            if tries.reservation is not None and tries.reservation.nanousd:
                self.ledger.record(self._call(key, frame, tries.reservation, "sent", tries.reservation.nanousd))
        return tries.reservation

    def _release(self, key: str, frame: FrameToDescribe, tries: _Tries) -> None:
        """Release an open reservation: its request was not sent, or was refused before any work was done."""
        reservation, tries.reservation = tries.reservation, None
        if reservation is None:
            return
        cost = reservation.nanousd
        try:
            if reservation.nanousd:
                error = tries.error or "not sent"
                self.ledger.record(self._call(key, frame, reservation, "released", 0, error=error))
            cost = 0
        finally:
            self.budget.settle(reservation, cost)

    def _try(self, key: str, frame: FrameToDescribe, tries: _Tries, sent: Reservation) -> Answer | None:
        """Send one request. Return the frame's answer, or None if it should be tried again."""
        self.pacer.wait(self.stop)
        if self.stop.is_set():
            return self._failed(frame, tries, "not asked: broken off")
        if not self.budget.confirm(sent):
            self._release(key, frame, tries)
            return None
        started = time.monotonic()
        tries.reservation = None
        cost = sent.nanousd  # from now on it may be spent, whatever happens
        try:
            completion = self.send(self.question, frame.jpeg, self._idempotency_key(key, tries))
            call = self._record(key, frame, sent, completion, time.monotonic() - started)
            cost = call.cost_nanousd or 0
        except CallError as failure:
            if failure.may_be_charged:
                tries.lost_nanousd += sent.nanousd
            else:
                tries.reservation = sent
            return self._failed_call(frame, tries, failure)
        except DescriberError:
            tries.reservation = sent  # refused before any work: nothing was charged
            raise
        finally:
            if tries.reservation is None:
                self.budget.settle(sent, cost)
        if completion.status != "malformed":
            return answer_from_call(frame, call, reused=False)
        tries.malformed += 1
        tries.lost_nanousd += call.cost_nanousd or 0
        tries.error = call.error
        if tries.malformed > min(MALFORMED_RETRIES, self.policy.max_retries):
            return self._failed(frame, tries, call.error or "malformed")
        return None

    def _failed_call(self, frame: FrameToDescribe, tries: _Tries, failure: CallError) -> Answer | None:
        tries.failures += 1
        tries.error = str(failure)
        if not failure.retry or tries.failures > self.policy.max_retries:
            return self._failed(frame, tries, tries.error)
        policy = self.policy
        requested_s = failure.wait_s or 0.0
        if requested_s > policy.longest_wait_s:
            return self._failed(
                frame, tries, f"{tries.error} (asks for {requested_s:.0f} s, more than the longest wait)"
            )
        self.pacer.hold(requested_s)
        # Back off in addition, because an endpoint may ask all clients to come back at once.
        self.stop.wait(backoff_s(tries.failures, policy.first_backoff_s, policy.longest_wait_s, self.jitter))
        return None

    @staticmethod
    def _idempotency_key(call_key: str, tries: _Tries) -> str:
        """Return what names a request for its endpoint: the same in every retry, run and process.

        After an answer that cannot be used, the key changes: the endpoint would repeat that answer.
        """
        return f"{call_key}-{tries.malformed_before + tries.malformed}"

    def _record(
        self, key: str, frame: FrameToDescribe, sent: Reservation, got: Completion, latency_s: float
    ) -> PaidCall:
        """Record an answer in the ledger, with its cost."""
        cost, error = self._cost(got, sent.nanousd), got.error
        if self.price is not None and sent.nanousd and (got.input_tokens is None or got.output_tokens is None):
            error = f"{error + '; ' if error else ''}no usage reported: the cost is its upper bound"
        call = self._call(key, frame, sent, "failed" if got.status == "malformed" else got.status, cost, error=error)
        call = replace(
            call,
            model=got.model or call.model,
            description=got.description,
            input_tokens=got.input_tokens,
            output_tokens=got.output_tokens,
            latency_s=round(latency_s, 3),
            **(got.lists or {}),
        )
        self.ledger.record(call)
        return call

    def _cost(self, got: Completion, reserved_nanousd: int) -> int | None:
        if self.price is None:
            return None
        if got.input_tokens is None or got.output_tokens is None:
            return reserved_nanousd
        return self.price.cost_nanousd(got.input_tokens, got.output_tokens)

    def _call(
        self,
        key: str,
        frame: FrameToDescribe,
        reservation: Reservation,
        status: str,
        cost: int | None,
        error: str | None = None,
    ) -> PaidCall:
        return PaidCall(
            call_key=key,
            attempt=reservation.attempt,
            status=status,
            cost_nanousd=cost,
            clip=self.clip,
            model=self.question.model,
            at=datetime.now(UTC).isoformat(),
            image_hash=frame.image_hash,
            prompt_hash=self._prompt_hash,
            error=error,
        )

    def _failed(self, frame: FrameToDescribe, tries: _Tries, error: str) -> Answer:
        """Return a failed answer; its cost is everything that was, or may have been, charged for the frame."""
        return Answer(
            frame_index=frame.frame_index,
            pts_s=frame.pts_s,
            image_hash=frame.image_hash,
            prompt_hash=self._prompt_hash,
            model=self.question.model,
            status="failed",
            cost_usd=None if self.price is None else usd(tries.lost_nanousd),
            error=error,
        )

    def _over_budget(self, frame: FrameToDescribe, tries: _Tries) -> Answer:
        left, bound = usd(self.budget.left_nanousd), usd(self._bound(frame))
        error = f"may cost up to {bound:.9f} USD, {left:.9f} USD of the budget is left"
        if tries.error:
            error += f"; before that: {tries.error}"
        return replace(self._failed(frame, tries, error), status="over_budget")
