import json

import pytest

from vidassets.descriptions.wire import Completion, Question, read_completion

QUESTION = Question("m", "What?", 150, "low", False, None, None, "max_tokens")
GOOD = {"description": "A welder.", "actions": ["welding"], "tools": [], "objects": ["pipe"], "safety_gear": ["mask"]}


def body(content: object, reason: str = "stop", **message: object) -> bytes:
    choice = {"message": {"content": content} | message, "finish_reason": reason}
    return json.dumps(
        {"model": "m-1", "choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}
    ).encode()


def test_parameters_that_are_not_set_are_not_sent():
    assert QUESTION.parameters() == {"model": "m", "max_tokens": 150}


def test_the_token_limit_is_sent_under_the_name_of_the_endpoint():
    parameters = Question("m", "What?", 150, "low", False, 0.0, 7, "max_completion_tokens").parameters()
    assert parameters == {"model": "m", "max_completion_tokens": 150, "temperature": 0.0, "seed": 7}


@pytest.mark.parametrize(
    ("answer", "structured", "status"),
    [
        pytest.param(body("A welder."), False, "ok", id="text"),
        pytest.param(body(json.dumps(GOOD)), True, "ok", id="structured"),
        pytest.param(body("A wel", "length"), False, "truncated", id="cut at the limit"),
        pytest.param(body(None, "length"), False, "truncated", id="cut before the first word"),
        pytest.param(body('{"descr', "length"), True, "truncated", id="cut JSON"),
        pytest.param(body(None, refusal="No."), False, "refused", id="refusal"),
        pytest.param(body("", "content_filter"), True, "refused", id="content filter"),
        pytest.param(body("  "), False, "malformed", id="blank"),
        pytest.param(body([1]), False, "malformed", id="not text"),
        pytest.param(body("A welder."), True, "malformed", id="text instead of JSON"),
        pytest.param(body(json.dumps(GOOD | {"tools": [1]})), True, "malformed", id="a list of numbers"),
        pytest.param(body(json.dumps(GOOD | {"description": None})), True, "malformed", id="no description"),
        pytest.param(body("[]"), True, "malformed", id="a list"),
        pytest.param(body("[" * 100_000), True, "malformed", id="deep JSON"),
        pytest.param(b"<html>", False, "malformed", id="not JSON"),
        pytest.param(b"\xff\xfe\x00", False, "malformed", id="not text at all"),
        pytest.param(b'{"error": {"message": "no"}}', False, "malformed", id="an error that says 200"),
        pytest.param(b'{"choices": []}', False, "malformed", id="no choice"),
        pytest.param(b"[" * 100_000, False, "malformed", id="a deep body"),
    ],
)
def test_every_answer_has_a_status(answer: bytes, structured: bool, status: str):
    assert read_completion(answer, structured).status == status


def test_a_structured_answer_is_read_whole():
    lists = {name: GOOD[name] for name in ("actions", "tools", "objects", "safety_gear")}
    assert read_completion(body(json.dumps(GOOD)), True) == Completion("ok", "m-1", "A welder.", lists, 9, 2)


def test_a_malformed_answer_still_reports_its_usage():
    assert read_completion(body("no JSON"), True).input_tokens == 9


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": "9"}, {"prompt_tokens": -1}, {"prompt_tokens": True}])
def test_usage_that_is_not_reported_is_null(usage: object):
    answer = json.dumps({"choices": [{"message": {"content": "x"}}], "usage": usage}).encode()
    assert read_completion(answer, False) == Completion("ok", None, "x")
