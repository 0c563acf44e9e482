"""Who describes frames: measured facts, or any endpoint that speaks the wire format of OpenAI's chat completions."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING, Literal

import dagster as dg
from pydantic import Field, PrivateAttr, field_validator

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

    max_colours: int = Field(default=3, ge=1, le=12, description="Most dominant colours that a sentence names.")

    def identity(self) -> dict[str, str]:
        """What changes the answers."""
        return {"model": "measured", "version": "1", "max_colours": str(self.max_colours)}

    def describe(self, clip: str, frames: "Sequence[FrameToDescribe]", ledger: "Ledger") -> "Iterator[Answer]":
        """One answer per frame, in order of time; the ledger is left alone, for nothing is paid."""
        from vidassets.descriptions.measured import describe_measured

        return describe_measured(frames, self.max_colours)


class ModelPrice(dg.Config, extra="forbid"):
    """What one model costs, since when, by whose word, and how it counts pictures."""

    model: str = Field(description="Exactly as in the describer's `model`; a dated snapshot may have its own price.")
    input_usd_per_million: float = Field(ge=0, description="USD per million input tokens, without discounts.")
    output_usd_per_million: float = Field(ge=0, description="USD per million output tokens.")
    as_of: str = Field(description="The day on which the price was looked up, YYYY-MM-DD.")
    source: str = Field(description="Where the price is published.")
    image_base_tokens: int = Field(default=0, ge=0, description="Tokens of any picture; all of it at low detail.")
    image_tile_tokens: int = Field(default=0, ge=0, description="Tokens of each 512 px tile above low detail.")
    image_patch_tokens: float = Field(default=0.0, ge=0, description="Tokens of each 32 px patch, where it counts so.")
    image_max_patches: int = Field(default=1536, ge=1, description="Most patches that a picture counts for.")

    @field_validator("as_of")
    @classmethod
    def _is_a_day(cls, value: str) -> str:
        date.fromisoformat(value)
        return value

    def to_price(self) -> "Price":
        """The same, as the descriptions topic knows it."""
        from vidassets.descriptions.prices import Price

        return Price(**self.model_dump(exclude={"as_of"}), as_of=date.fromisoformat(self.as_of))


class OpenAICompatibleDescriber(dg.ConfigurableResource, extra="forbid"):
    """Frames described by a vision model behind an endpoint: OpenAI, vLLM, Ollama, any that speaks as they do.

    Nothing is paid twice: an answer is kept by picture, prompt, model and parameters. Budgets hold for one process;
    give the asset a concurrency pool of one slot where several runs may describe at once.
    """

    model: str = Field(default="gpt-4o-mini", min_length=1, description="Name of the model, as the endpoint knows it.")
    prompt: str = Field(default=PROMPT, min_length=1, description="What is asked of every frame.")
    max_tokens: int = Field(default=150, ge=1, le=16_384, description="Most tokens of one answer.")
    token_limit_name: Literal["max_tokens", "max_completion_tokens"] = Field(
        default="max_tokens", description="How the endpoint names that limit; reasoning models want the second name."
    )
    detail: Literal["low", "high", "auto"] = Field(
        default="low", description="How closely the model looks; above low, a picture counts by its size."
    )
    structured_output: bool = Field(
        default=False,
        description="Ask for JSON (description, actions, tools, objects, safety_gear); it wants some 300 tokens.",
    )
    temperature: float | None = Field(default=0.0, ge=0, le=2, description="Chance in the answers; null: not sent.")
    seed: int | None = Field(default=None, description="Sent where set; endpoints keep it as well as they can.")

    base_url: str = Field(default=OPENAI, pattern=r"^https?://", description="The endpoint, up to and with /v1.")
    api_key: str | None = Field(
        default=None, repr=False, description="Secret: give it as an environment variable. Local endpoints need none."
    )

    concurrency: int = Field(default=8, ge=1, le=256, description="Requests under way at once.")
    requests_per_second: float = Field(default=10.0, gt=0, le=10_000, description="Never more, retries included.")
    timeout_s: float = Field(default=60.0, gt=0, le=3600, description="Seconds until a request without answer is cut.")
    max_retries: int = Field(default=5, ge=0, le=100, description="Further tries of one frame after a passing error.")
    first_backoff_s: float = Field(default=1.0, gt=0, le=60, description="Seconds before the first; doubles each time.")
    longest_wait_s: float = Field(
        default=60.0, gt=0, le=3600, description="Seconds; asked to wait longer, the frame is left to the next run."
    )
    max_failures_in_a_row: int = Field(
        default=20, ge=1, description="Frames that may fail one after another before the endpoint is taken for down."
    )

    prices: list[ModelPrice] = Field(default=[], description="Dated prices; a model that is not listed costs null.")
    budget_usd_per_run: float | None = Field(
        default=None, ge=0, description="USD of one run, or of all runs of one command; null: no limit. 0: only reuse."
    )
    budget_usd_dataset: float | None = Field(default=None, ge=0, description="USD, of all runs together, ever.")

    _budget: "Budget | None" = PrivateAttr(default=None)
    _pacer: "Pacer | None" = PrivateAttr(default=None)
    _launch: str | None = PrivateAttr(default=None)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """A run begins: its budget is untouched, unless it is one of several runs of one command."""
        self._budget = self._pacer = None
        self._launch = context.run.tags.get(LAUNCH_TAG) if context.run else None

    def identity(self) -> dict[str, str]:
        """What changes the answers: model, prompt and parameters; not the address, key, speed or budget."""
        return {name: str(value) for name, value in self._question().identity().items()}

    def describe(self, clip: str, frames: "Sequence[FrameToDescribe]", ledger: "Ledger") -> "Iterator[Answer]":
        """One answer per frame, as they come in; each is in the ledger before it is yielded.

        Raises:
            DescriberError: no key, a key refused, an unknown model, an endpoint that is down.
            BudgetError: a budget is set and there is no price to hold it by.
        """
        from vidassets.descriptions.asking import Asking, Manners
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
        manners = Manners(
            concurrency=self.concurrency,
            max_retries=self.max_retries,
            first_backoff_s=self.first_backoff_s,
            longest_wait_s=self.longest_wait_s,
            max_failures_in_a_row=self.max_failures_in_a_row,
        )
        with Endpoint(self.base_url, self.api_key, self.timeout_s) as endpoint:
            yield from Asking(
                clip, self._question(), endpoint.send, ledger, self._budget, price, self._pacer, manners
            ).answers(frames)

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

    def _opened_budget(self, price: "Price | None", ledger: "Ledger") -> "Budget":
        from vidassets.descriptions.budget import budget_in_usd

        budget = budget_in_usd(self.budget_usd_per_run, self.budget_usd_dataset, self.model, price)
        logger = dg.get_dagster_logger()
        if price is None:
            logger.warning(
                f"{self.model} has no price in the profile: its answers may cost money, and cost_usd will be null. "
                "Add it to `prices` of the describer (0 for a model of your own), with the day and the source."
            )
        if self.budget_usd_dataset is not None:
            budget.dataset_before_nanousd = ledger.committed_nanousd()
            if unpriced := ledger.n_without_price():
                logger.warning(
                    f"{unpriced} earlier answers have no known cost and do not count towards budget_usd_dataset."
                )
        return budget
