import pytest

from vidassets.devices import FittingBatch, is_out_of_memory, resolve_device
from vidassets.errors import DeviceUnavailable

TOO_LARGE = "Set `cpu_fallback: true`."


def holds(limit: int, error: type[Exception] = RuntimeError):
    """Return a function that runs batches up to a limit."""

    def run(size: int) -> int:
        if size > limit:
            raise error("CUDA failed with error out of memory")
        return size

    return run


def test_a_batch_is_halved_until_it_fits_and_each_step_is_recorded():
    batch = FittingBatch("windows at once", TOO_LARGE)
    assert batch.attempt(16, holds(5)) == 4
    assert batch.steps == [
        "out of memory: 16 → 8 windows at once",
        "out of memory: 8 → 4 windows at once",
    ]


def test_a_halved_batch_stays_halved():
    batch = FittingBatch("windows", TOO_LARGE)
    batch.attempt(16, holds(8))
    assert batch.attempt(16, holds(100)) == 8
    assert batch.attempt(3, holds(100)) == 3


def test_a_batch_of_one_that_does_not_fit_is_an_error_that_says_how_to_fix_it():
    with pytest.raises(DeviceUnavailable, match="cpu_fallback"):
        FittingBatch("windows", TOO_LARGE).attempt(2, holds(0))


def test_another_error_is_not_taken_for_memory():
    with pytest.raises(RuntimeError, match="shape"):
        FittingBatch("windows", TOO_LARGE).attempt(4, lambda size: (_ for _ in ()).throw(RuntimeError("wrong shape")))


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        pytest.param(RuntimeError("CUDA failed with error out of memory"), True, id="CTranslate2"),
        pytest.param(MemoryError("batch_size ( 32) is probably too large."), True, id="pyannote"),
        pytest.param(RuntimeError("CUDA error: device-side assert"), False, id="another of CUDA"),
        pytest.param(ValueError("out of memory"), False, id="another type"),
    ],
)
def test_out_of_memory_is_recognised_by_type_and_words(error, is_memory):
    assert is_out_of_memory(error) is is_memory


def test_torch_errors_of_memory_are_known():
    torch = pytest.importorskip("torch")
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"))


def test_mps_is_used_only_if_the_caller_allows_it(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert resolve_device("auto", "", allow_mps=True) == "mps"
    assert resolve_device("auto", "") == "cpu"
    with pytest.raises(DeviceUnavailable, match=r"^mps: torch .* Set it"):
        resolve_device("mps", "Set it.")
