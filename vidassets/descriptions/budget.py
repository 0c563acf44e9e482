"""Budgets that are never exceeded: before a call is sent, the most it can cost is reserved."""

import logging
import math
import secrets
import threading
from dataclasses import dataclass, field
from fractions import Fraction

from vidassets.descriptions.account import Account
from vidassets.descriptions.ledger import Ledger
from vidassets.descriptions.prices import Price, nanousd
from vidassets.errors import BudgetError

logger = logging.getLogger(__name__)

FIRST_WAIT_S, LONGEST_WAIT_S = 0.05, 1.0  # chosen here: between two looks at money that may become free


@dataclass(frozen=True, slots=True)
class Reservation:
    """The most that a call may cost, and the attempt under which the ledger records it."""

    nanousd: int
    attempt: str


@dataclass(slots=True)
class Budget:
    """Two limits, shared by any number of threads: one for this run, one for the dataset over all runs.

    The committed amount is what was spent, what may have been spent (calls that were cut off) and what is reserved for
    calls under way. A call is allowed if both limits hold even at the most it can cost. Every reservation must be
    settled. The limit of the dataset holds over all processes and machines that use the same store; see `account`.

    Attributes:
        run_limit_nanousd: limit over the life of this object; None for no limit.
        account: of the dataset; None for no limit.
    """

    run_limit_nanousd: int | None
    account: Account | None = None
    _committed: int = 0
    _pending: int = 0
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
            left = [] if self.run_limit_nanousd is None else [max(0, self.run_limit_nanousd - self._committed)]
            left += [] if self.account is None else [self.account.left_nanousd]
            return min(left, default=None)

    def reserve(self, bound_nanousd: int, stop: threading.Event | None = None) -> Reservation | None:
        """Reserve the upper bound of a call. Return None (nothing reserved) if it exceeds a limit.

        Waits while calls under way, here or in another process, may turn out cheaper than reserved and make room.

        Args:
            bound_nanousd: the most that the call can cost.
            stop: ends the wait.
        """
        stop, wait_s = stop or threading.Event(), FIRST_WAIT_S
        while True:
            with self._lock:
                wanted = math.ceil(bound_nanousd * self._excess)
                reserved = self._try(wanted)
                may_wait = reserved is None and self._may_become_free(wanted)
            if reserved is not None or not may_wait:
                return reserved
            self.give_back()  # another process may wait for the same money
            if stop.wait(wait_s):
                return None
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def confirm(self, reservation: Reservation) -> bool:
        """Return whether a call that is recorded in the ledger may be sent; if not, settle it and reserve again."""
        return self.account is None or not reservation.nanousd or self.account.confirm(reservation.attempt)

    def settle(self, reservation: Reservation, cost_nanousd: int) -> None:
        """Replace a reservation by the real cost; a cost of 0 releases it."""
        reserved = reservation.nanousd
        with self._lock:
            self._committed += cost_nanousd - reserved
            self._pending -= reserved
            if self.account is not None and reserved:
                self.account.settle(reservation.attempt, reserved, cost_nanousd)
            if cost_nanousd > reserved > 0:
                # The endpoint counts more tokens than the price in the profile implies: scale later bounds by the bill.
                self._excess *= Fraction(cost_nanousd, reserved)
                logger.warning(
                    "A call cost %.2f times its upper bound: the price in the profile is wrong or out of date. "
                    "Correct its token counts; until then every bound of this run is raised to match.",
                    cost_nanousd / reserved,
                )

    def give_back(self) -> None:
        """Give what is reserved for no call back to other processes.

        Raises:
            StoreError: the store cannot be written; then other processes get the money when the grant has ended.
        """
        if self.account is not None:
            self.account.give_back()

    def _try(self, wanted: int) -> Reservation | None:
        if self.run_limit_nanousd is not None and wanted > self.run_limit_nanousd - self._committed:
            return None
        attempt = secrets.token_hex(12) if self.account is None or not wanted else self.account.reserve(wanted)
        if attempt is None:
            return None
        self._committed += wanted
        self._pending += wanted
        return Reservation(wanted, attempt)

    def _may_become_free(self, wanted: int) -> bool:
        spent = self._committed - self._pending
        if self.run_limit_nanousd is not None and wanted > self.run_limit_nanousd - self._committed:
            return self._pending > 0 and spent + wanted <= self.run_limit_nanousd
        return self.account is not None and self.account.may_become_free(wanted)


def budget_in_usd(
    per_run: float | None, dataset: float | None, model: str, price: Price | None, ledger: Ledger
) -> Budget:
    """Return the budget of a run on the dataset whose paid calls the ledger holds.

    Raises:
        BudgetError: a limit is set, but no price to enforce it with.
    """
    if per_run is None and dataset is None:
        return Budget(None)
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
        account=None if dataset is None else Account(ledger, nanousd(dataset)),
    )
