"""Describers of frames: measured facts, or any endpoint with the wire format of OpenAI's chat completions."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING, Literal

import dagster as dg
from pydantic import Field, PrivateAttr, field_validator

from vidassets.errors import StoreError
from vidassets.resources.launch_tag import LAUNCH_TAG
from vidassets.resources.model_cache import cached

if TYPE_CHECKING:
    from vidassets.descriptions.answers import Answer, FrameToDescribe
    from vidassets.descriptions.budget import Budget
    from vidassets.descriptions.ledger import Ledger
    from vidassets.descriptions.pacing import Pacer
    from vidassets.descriptions.prices import Price
    from vidassets.descriptions.wire import Question

OPENAI = "https://api.openai.com/v1"
PROMPT = (
    "Describe this frame of a video in two or three sentences: what the worker or person does, which tools and objects "
    "are used or in reach, and which safety gear is worn or missing. Say only what can be seen."
)


class MeasuredDescriber(dg.ConfigurableResource, extra="forbid"):
    """Facts measured on the picture: light, contrast, sharpness, colour, motion. No model, no cost, no content."""

    max_colours: int = Field(
        default=3, ge=1, le=12, description="Largest number of dominant colours that a sentence names."
    )

    def identity(self) -> dict[str, str]:
        """Return what changes the answers."""
        return {"model": "measured", "version": "1", "max_colours": str(self.max_colours)}

    def describe(self, clip: str, frames: "Sequence[FrameToDescribe]", ledger: "Ledger") -> "Iterator[Answer]":
        """Yield one answer per frame, in order of time. Nothing is paid, so the ledger is not used."""
        from vidassets.descriptions.measured import describe_measured

        return describe_measured(frames, self.max_colours)


class ModelPrice(dg.Config, extra="forbid"):
    """The price of a model, its date and source, and how the model counts pictures."""

    model: str = Field(description="Exactly the describer's `model`; a dated snapshot may have its own price.")
    input_usd_per_million: float = Field(ge=0, description="USD per million input tokens, without discounts.")
    output_usd_per_million: float = Field(ge=0, description="USD per million output tokens.")
    as_of: str = Field(description="The day on which the price was looked up, YYYY-MM-DD.")
    source: str = Field(description="Where the price is published.")
    image_base_tokens: int = Field(default=0, ge=0, description="Tokens of every picture; at low detail the only ones.")
    image_tile_tokens: int = Field(default=0, ge=0, description="Tokens of each 512 px tile, above low detail.")
    image_patch_tokens: float = Field(
        default=0.0, ge=0, description="Tokens of each 32 px patch, for models that count patches."
    )
    image_max_patches: int = Field(default=1536, ge=1, description="Most patches that a picture counts for.")

    @field_validator("as_of")
    @classmethod
    def _is_a_day(cls, value: str) -> str:
        date.fromisoformat(value)
        return value

    def to_price(self) -> "Price":
        """Return the price as a `descriptions.prices.Price`."""
        from vidassets.descriptions.prices import Price

        return Price(**self.model_dump(exclude={"as_of"}), as_of=date.fromisoformat(self.as_of))


class OpenAICompatibleDescriber(dg.ConfigurableResource, extra="forbid"):
    """Descriptions by a vision model behind an OpenAI-compatible endpoint: OpenAI, vLLM, Ollama and others.

    No answer is paid for twice: answers are kept by picture, prompt, model and parameters. The budget of the dataset
    holds over all processes and machines that use the same store.
    """

    model: str = Field(default="gpt-4o-mini", min_length=1, description="Name of the model at the endpoint.")
    prompt: str = Field(default=PROMPT, min_length=1, description="Prompt sent with every frame.")
    max_tokens: int = Field(default=150, ge=1, le=16_384, description="Token limit of one answer.")
    token_limit_name: Literal["max_tokens", "max_completion_tokens"] = Field(
        default="max_tokens", description="The endpoint's name for that limit; reasoning models require the second one."
    )
    detail: Literal["low", "high", "auto"] = Field(
        default="low", description="Resolution at which the model looks; above low, larger pictures cost more."
    )
    structured_output: bool = Field(
        default=False,
        description="Ask for JSON (description, actions, tools, objects, safety_gear); it takes about 300 tokens.",
    )
    temperature: float | None = Field(default=0.0, ge=0, le=2, description="Randomness of the answers; null: not sent.")
    seed: int | None = Field(default=None, description="Sent if set; endpoints respect it only approximately.")

    base_url: str = Field(
        default=OPENAI, pattern=r"^https?://", description="Address of the endpoint, up to and including /v1."
    )
    api_key: str | None = Field(
        default=None, repr=False, description="Secret, given as an environment variable. Local endpoints need none."
    )

    concurrency: int = Field(
        default=8,
        ge=1,
        le=256,
        description="Largest number of requests at the same time; a killed process may lose this many answers.",
    )
    requests_per_second: float = Field(default=10.0, gt=0, le=10_000, description="Upper limit, including retries.")
    timeout_s: float = Field(
        default=60.0, gt=0, le=3600, description="Seconds until a request without an answer is cancelled."
    )
    max_retries: int = Field(default=5, ge=0, le=100, description="Further tries of a frame after a temporary error.")
    first_backoff_s: float = Field(
        default=1.0, gt=0, le=60, description="Seconds before the first retry; doubles each time."
    )
    longest_wait_s: float = Field(
        default=60.0, gt=0, le=3600, description="Seconds; if asked to wait longer, the frame is left to the next run."
    )
    max_failures_in_a_row: int = Field(
        default=20, ge=1, description="Consecutive failed frames after which the endpoint is considered down."
    )

    prices: list[ModelPrice] = Field(default=[], description="Dated prices; the cost of a model not listed is null.")
    budget_usd_per_run: float | None = Field(
        default=None,
        ge=0,
        description="USD per run, or per command if it starts several runs; null: no limit, 0: reuse only.",
    )
    budget_usd_dataset: float | None = Field(
        default=None, ge=0, description="USD for all runs together, over all time; null: no limit."
    )

    _budget: "Budget | None" = PrivateAttr(default=None)
    _pacer: "Pacer | None" = PrivateAttr(default=None)
    _launch: str | None = PrivateAttr(default=None)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Start a run with a full budget, unless it shares the budget with other runs of the same command."""
        self._budget = self._pacer = None
        self._launch = context.run.tags.get(LAUNCH_TAG) if context.run else None

    def identity(self) -> dict[str, str]:
        """Return what changes the answers: model, prompt and parameters; not the address, key, speed or budget."""
        return {name: str(value) for name, value in self._question().identity().items()}

    def describe(self, clip: str, frames: "Sequence[FrameToDescribe]", ledger: "Ledger") -> "Iterator[Answer]":
        """Yield one answer per frame, in the order they arrive; each is in the ledger before it is yielded.

        Raises:
            DescriberError: no key, a refused key, an unknown model, or an endpoint that is down.
            BudgetError: a budget is set, but no price to enforce it with.
        """
        from vidassets.descriptions.asking import Asking, RequestPolicy
        from vidassets.descriptions.endpoint import Endpoint
        from vidassets.descriptions.pacing import Pacer
        from vidassets.descriptions.prices import price_of

        price = price_of(self.model, [price.to_price() for price in self.prices])
        if self._budget is None and self._launch:
            self._budget = cached(("budget", self._launch), lambda: self._opened_budget(price, ledger))
        elif self._budget is None:
            self._budget = self._opened_budget(price, ledger)
        if self._pacer is None:
            self._pacer = Pacer(self.requests_per_second)
        policy = RequestPolicy(
            concurrency=self.concurrency,
            max_retries=self.max_retries,
            first_backoff_s=self.first_backoff_s,
            longest_wait_s=self.longest_wait_s,
            max_failures_in_a_row=self.max_failures_in_a_row,
        )
        with Endpoint(self.base_url, self.api_key, self.timeout_s) as endpoint:
            asking = Asking(clip, self._question(), endpoint.send, ledger, self._budget, price, self._pacer, policy)
            try:
                yield from asking.answers(frames)
            finally:
                self._give_back()

    def _question(self) -> "Question":
        from vidassets.descriptions.wire import Question

        return Question(
            model=self.model,
            prompt=self.prompt,
            max_tokens=self.max_tokens,
            detail=self.detail,
            structured=self.structured_output,
            temperature=self.temperature,
            seed=self.seed,
            token_limit_name=self.token_limit_name,
        )

    def _give_back(self) -> None:
        """Give the reserved money that no call needed back to other processes."""
        try:
            if self._budget is not None:
                self._budget.give_back()
        except StoreError as error:  # do not hide the error that ended the work
            dg.get_dagster_logger().warning(f"Reserved money is not given back yet: {error}")

    def _opened_budget(self, price: "Price | None", ledger: "Ledger") -> "Budget":
        from vidassets.descriptions.budget import budget_in_usd

        budget = budget_in_usd(self.budget_usd_per_run, self.budget_usd_dataset, self.model, price, ledger)
        logger = dg.get_dagster_logger()
        if price is None:
            logger.warning(
                f"{self.model} has no price in the profile: its answers may cost money, and cost_usd will be null. "
                "Add it to `prices` of the describer (0 for your own model), with its date and source."
            )
        if self.budget_usd_dataset is not None and (unpriced := ledger.n_without_price()):
            logger.warning(
                f"{unpriced} earlier answers have no known cost and do not count towards budget_usd_dataset."
            )
        return budget
