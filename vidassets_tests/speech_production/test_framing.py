import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as of_numpy

from vidassets.speech.worker.framing import read_message, write_message

ARRAYS = st.dictionaries(
    st.text(max_size=8),
    of_numpy.arrays(st.sampled_from([np.float32, np.uint8, np.int64]), of_numpy.array_shapes(min_dims=0, min_side=0)),
    max_size=3,
)
VALUES = st.dictionaries(st.text(max_size=8), st.none() | st.floats(allow_nan=False) | st.text(), max_size=3)


def written(*messages: tuple[dict, dict]) -> bytes:
    stream = io.BytesIO()
    for values, arrays in messages:
        write_message(stream, values, arrays)
    return stream.getvalue()


@given(VALUES, ARRAYS)
def test_what_is_written_is_read(values, arrays):
    message = read_message(io.BytesIO(written((values, arrays))))
    assert message is not None
    assert message.values == values
    assert set(message.arrays) == set(arrays)
    for name, array in arrays.items():
        assert message.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(message.arrays[name], array)


def test_messages_follow_each_other():
    stream = io.BytesIO(written(({"first": 1}, {}), ({"second": 2}, {})))
    assert [read_message(stream).values, read_message(stream).values] == [{"first": 1}, {"second": 2}]
    assert read_message(stream) is None


@pytest.mark.parametrize("n_bytes", [0, 5, 20, -1])
def test_a_message_cut_short_is_none(n_bytes):
    assert read_message(io.BytesIO(written(({"a": 1}, {"b": np.zeros(9)}))[:n_bytes])) is None
