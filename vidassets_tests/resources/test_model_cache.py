import threading
from collections.abc import Iterator

import pytest

from vidassets.resources.model_cache import cached, free, loads


@pytest.fixture
def key() -> Iterator[object]:
    yield object()
    free()


def test_a_model_is_loaded_once_and_then_kept(key):
    assert cached(key, lambda: ["a model"]) is cached(key, lambda: ["another"])
    assert loads(key) == 1


def test_threads_that_want_one_model_at_once_load_it_once(key):
    together = threading.Barrier(8)
    models: list[object] = []

    def want() -> None:
        together.wait()
        models.append(cached(key, object))

    threads = [threading.Thread(target=want) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(models)) == 1
    assert loads(key) == 1


def test_a_model_is_available_while_another_loads(key):
    assert cached(key, lambda: [cached(("inner", key), lambda: "ready")]) == ["ready"]


def test_a_load_that_failed_is_tried_again(key):
    def fail() -> None:
        raise OSError("no weights")

    with pytest.raises(OSError, match="no weights"):
        cached(key, fail)
    assert cached(key, lambda: "loaded") == "loaded"
    assert loads(key) == 1


def test_a_freed_model_is_loaded_again(key):
    cached(key, object)
    free()
    cached(key, object)
    assert loads(key) == 2
