"""Budgets that are never exceeded: before a call is sent, the most it can cost is reserved."""

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
    """Two limits, one for this run and one for the dataset over all runs, shared by any number of threads.

    The committed amount is what was spent, what may have been spent (calls that were cut off) and what is reserved for
    calls under way. A call is allowed if both limits hold even at the most it can cost.

    The limits hold within one process. Processes that spend on the same dataset at the same time see each other's
    costs only when they start: run one at a time, with a concurrency pool of one slot.

    Attributes:
        run_limit_nanousd: limit over the life of this object; None for no limit.
        dataset_limit_nanousd: limit over all runs; None for no limit.
        dataset_before_nanousd: committed before this run, according to the ledger.
    """

    run_limit_nanousd: int | None
    dataset_limit_nanousd: int | None
    dataset_before_nanousd: int = 0
    _committed: int = 0
    _excess: Fraction = Fraction(1)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def committed_nanousd(self) -> int:
        """The amount spent, possibly spent or reserved in this run."""
        with self._lock:
            return self._committed

    @property
    def left_nanousd(self) -> int | None:
        """The amount that may still be committed; None without a limit."""
        with self._lock:
            return self._left()

    def reserve(self, bound_nanousd: int) -> int | None:
        """Reserve the upper bound of a call. Return the amount, or None (nothing reserved) if it exceeds a limit."""
        with self._lock:
            wanted = math.ceil(bound_nanousd * self._excess)
            left = self._left()
            if left is not None and wanted > left:
                return None
            self._committed += wanted
            return wanted

    def settle(self, reserved_nanousd: int, cost_nanousd: int) -> None:
        """Replace a reservation by the real cost; a cost of 0 releases it."""
        with self._lock:
            self._committed += cost_nanousd - reserved_nanousd
            if cost_nanousd > reserved_nanousd > 0:
                # The endpoint counts more tokens than the price in the profile implies: scale later bounds by the bill.
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
    """Return the budget of a run; the caller sets `dataset_before_nanousd` from the ledger.

    Raises:
        BudgetError: a limit is set, but no price to enforce it with.
    """
    if per_run is None and dataset is None:
        return Budget(None, None)
    if price is None:
        raise BudgetError(
            f"{model}: a budget is set and the profile has no price for this model, so it cannot be enforced. "
            "Add the model to `prices` of the describer, or set both budgets to null."
        )
    if not price.counts_pictures:
        raise BudgetError(
            f"{model}: a budget is set and the model's price does not say how it counts pictures, so a call has "
            "no upper bound. Set `image_base_tokens` and `image_tile_tokens`, or `image_patch_tokens`, of that price."
        )
    return Budget(
        run_limit_nanousd=None if per_run is None else nanousd(per_run),
        dataset_limit_nanousd=None if dataset is None else nanousd(dataset),
    )
