import pytest

from vidassets.speech.worker.failure import WorkerFailure
from vidassets.speech.worker.memory import FittingBatch, is_out_of_memory


def holds(limit: int, error: type[Exception] = RuntimeError):
    """Runs batches up to a limit."""

    def run(size: int) -> int:
        if size > limit:
            raise error("CUDA failed with error out of memory")
        return size

    return run


def test_a_batch_is_halved_until_it_fits_and_each_step_is_told():
    batch = FittingBatch(16, "windows")
    assert batch.attempt(holds(5)) == 4
    assert batch.steps == [
        "out of memory: 16 → 8 windows at once",
        "out of memory: 8 → 4 windows at once",
    ]


def test_a_batch_that_was_halved_stays_so():
    batch = FittingBatch(16, "windows")
    batch.attempt(holds(8))
    assert batch.attempt(holds(100)) == 8


def test_one_that_does_not_fit_is_a_failure_with_its_mend():
    with pytest.raises(WorkerFailure, match="cpu_fallback") as raised:
        FittingBatch(2, "windows").attempt(holds(0))
    assert raised.value.kind == "device_unavailable"


def test_another_error_is_not_taken_for_memory():
    with pytest.raises(RuntimeError, match="shape"):
        FittingBatch(4, "windows").attempt(lambda size: (_ for _ in ()).throw(RuntimeError("wrong shape")))


@pytest.mark.parametrize(
    ("error", "is_it"),
    [
        pytest.param(RuntimeError("CUDA failed with error out of memory"), True, id="CTranslate2"),
        pytest.param(MemoryError("batch_size ( 32) is probably too large."), True, id="pyannote"),
        pytest.param(RuntimeError("CUDA error: device-side assert"), False, id="another of CUDA"),
        pytest.param(ValueError("out of memory"), False, id="another type"),
    ],
)
def test_memory_is_told_by_type_and_words(error, is_it):
    assert is_out_of_memory(error) is is_it


def test_torch_errors_of_memory_are_known():
    torch = pytest.importorskip("torch")
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"))
