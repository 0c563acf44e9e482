"""Never more money than allowed: every call reserves the most it can cost before it is sent."""

import logging
import math
import threading
from dataclasses import dataclass, field
from fractions import Fraction

from vidassets.descriptions.prices import Price, nanousd
from vidassets.errors import BudgetError

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Budget:
    """Two limits, of this run and of the dataset for all time, held over any number of threads.

    What is committed is what was spent, what may have been spent (calls that were cut off) and what is reserved for
    calls under way. A call is let through if both limits hold though it cost the most it can.

    Held within one process. Processes that spend at once from the same dataset learn of each other when they start:
    keep them apart with a concurrency pool of one slot.

    Attributes:
        run_limit_nanousd: of this object's life; null for no limit.
        dataset_limit_nanousd: of all time; null for no limit.
        dataset_before_nanousd: committed before this run, as the ledger tells.
    """

    run_limit_nanousd: int | None
    dataset_limit_nanousd: int | None
    dataset_before_nanousd: int = 0
    _committed: int = 0
    _excess: Fraction = Fraction(1)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def committed_nanousd(self) -> int:
        """Spent, possibly spent and reserved in this run."""
        with self._lock:
            return self._committed

    @property
    def left_nanousd(self) -> int | None:
        """What may still be committed; null without a limit."""
        with self._lock:
            return self._left()

    def reserve(self, bound_nanousd: int) -> int | None:
        """The sum reserved for a call of that bound, or null if it would pass a limit (then nothing is reserved)."""
        with self._lock:
            wanted = math.ceil(bound_nanousd * self._excess)
            left = self._left()
            if left is not None and wanted > left:
                return None
            self._committed += wanted
            return wanted

    def settle(self, reserved_nanousd: int, cost_nanousd: int) -> None:
        """Put the cost in the place of what was reserved for it; 0 gives the reservation back."""
        with self._lock:
            self._committed += cost_nanousd - reserved_nanousd
            if cost_nanousd > reserved_nanousd > 0:
                # The endpoint counts more tokens than its price tells: believe the bill from now on.
                self._excess *= Fraction(cost_nanousd, reserved_nanousd)
                logger.warning(
                    "A call cost %.2f times its upper bound: the price in the profile is wrong or out of date. "
                    "Correct its token counts; until then every bound of this run is raised to match.",
                    cost_nanousd / reserved_nanousd,
                )

    def _left(self) -> int | None:
        limits = [
            limit - already - self._committed
            for limit, already in (
                (self.run_limit_nanousd, 0),
                (self.dataset_limit_nanousd, self.dataset_before_nanousd),
            )
            if limit is not None
        ]
        return max(0, min(limits)) if limits else None


def budget_in_usd(per_run: float | None, dataset: float | None, model: str, price: Price | None) -> Budget:
    """The budget of a run; `dataset_before_nanousd` is the ledger's to tell.

    Raises:
        BudgetError: there is a limit, and no price to hold it by.
    """
    if per_run is None and dataset is None:
        return Budget(None, None)
    if price is None:
        raise BudgetError(
            f"{model}: a budget is set and the profile has no price for this model, so it cannot be held. "
            "Add the model to `prices` of the describer, or set both budgets to null."
        )
    if not price.counts_pictures:
        raise BudgetError(
            f"{model}: a budget is set and the model's price does not say how it counts pictures, so no upper bound "
            "can be told. Fill in `image_base_tokens` and `image_tile_tokens`, or `image_patch_tokens`, beside it."
        )
    return Budget(
        run_limit_nanousd=None if per_run is None else nanousd(per_run),
        dataset_limit_nanousd=None if dataset is None else nanousd(dataset),
    )
