"""One HTTP endpoint through the official client: a request goes out once, its errors come back sorted."""

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from vidassets.descriptions.asking import CallError
from vidassets.descriptions.pacing import retry_after_s
from vidassets.descriptions.wire import Completion, Question, read_completion
from vidassets.errors import DescriberError

if TYPE_CHECKING:
    import openai

# The published address of the one endpoint that surely wants a key.
WANTS_KEY = "https://api.openai.com"
MAX_ANSWER_BYTES = 4 * 2**20  # chosen here: a thousand times a long answer

# The work may have been done, and charged, though the answer never came: timeouts of gateways before the model.
LOST_ANSWERS = frozenset({408, 502, 504, *range(520, 528)})
PASSING = frozenset({408, 409, 429, *range(500, 600)})
# Errors that would meet every frame alike, by the code that the endpoint gives.
FATAL_CODES = frozenset(
    {
        "insufficient_quota",
        "invalid_api_key",
        "model_not_found",
        "unsupported_parameter",
        "unsupported_value",
        "unknown_parameter",
        "billing_hard_limit_reached",
    }
)
# Errors of the client's transport before the request was on its way.
NEVER_SENT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol"})
MAX_QUOTED = 300  # characters of what an endpoint says of an error
FILTER_CODES = frozenset({"content_filter", "content_policy_violation"})
MENDS = {
    401: "The key was refused: check the environment variable that `api_key` of the describer names.",
    403: "The key may not use this model, or not from here: check the account, or choose another `model`.",
    404: "There is no such model or address: check `model` and `base_url` (it ends in /v1) of the describer.",
}


class Endpoint:
    """An endpoint that is open for some time. The key goes into requests, and nowhere else.

    Raises:
        DescriberError: the endpoint wants a key and none is given.
    """

    def __init__(self, base_url: str, api_key: str | None, timeout_s: float):
        import openai

        key = (api_key or "").strip()  # a variable filled from a file often ends in a newline
        if not key and base_url.startswith(WANTS_KEY):
            raise DescriberError(
                f"{base_url}: no API key. Name the environment variable that holds it in the profile's describer, "
                "`api_key: {env: OPENAI_API_KEY}`, and set it."
            )
        if not key.isascii() or not key.isprintable():
            raise DescriberError("The API key holds characters that no key has: look at how its variable is set.")
        self._base_url = base_url
        self._api_key = key
        self._timeout_s = timeout_s
        # Retries are ours: each request is paced, and reserved in the budget, on its own. Without a key of its own a
        # client would take one from the environment and show it to whatever endpoint the profile names.
        self._client = openai.OpenAI(base_url=base_url, api_key=key or "none", timeout=timeout_s, max_retries=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._client.close()

    def send(self, question: Question, jpeg: bytes) -> Completion:
        """What the endpoint says of one picture; one request.

        Raises:
            CallError: this request brought no answer; it tells whether to try again, and whether it may be charged.
            DescriberError: every request would fail.
        """
        import openai

        deadline = time.monotonic() + self._timeout_s
        chat = self._client.chat.completions.with_streaming_response
        try:
            with chat.create(**question.body(jpeg)) as response:
                return read_completion(self._read(response, deadline), question.structured)
        except openai.APIStatusError as error:
            if error.code in FILTER_CODES:
                return Completion("refused", error=self._said(error), input_tokens=0, output_tokens=0)
            raise self._status_error(error) from None
        except openai.APIConnectionError as error:
            raise self._connection_error(error) from None

    def _read(self, response: Any, deadline: float) -> bytes:
        """The whole answer; the client's own timeout is of each piece, so that a trickle would never end."""
        answer = bytearray()
        try:
            for piece in response.iter_bytes():
                answer += piece
                if time.monotonic() > deadline:
                    raise CallError(f"no whole answer in {self._timeout_s:g} s", may_be_charged=True, retry=True)
                if len(answer) > MAX_ANSWER_BYTES:
                    raise CallError("an answer without end", may_be_charged=True, retry=False)
        except CallError:
            raise
        except Exception as error:  # noqa: BLE001 (whatever the client's transport raises: the answer was cut off)
            raise CallError(
                f"the answer was cut off ({type(error).__name__})", may_be_charged=True, retry=True
            ) from None
        return bytes(answer)

    def _status_error(self, error: "openai.APIStatusError") -> DescriberError:
        status = error.status_code
        if status in MENDS:
            # What a refused key's answer says may show part of the key: it is left out.
            said = "" if status == 401 else f" ({self._said(error)})"
            return DescriberError(f"{self._base_url} answered {status}{said}. {MENDS[status]}")
        if error.code in FATAL_CODES:
            return DescriberError(
                f"{self._base_url} answered {status} {error.code} ({self._said(error)}), and would for every frame. "
                "Mend the account, or the describer's parameters in the profile, and run again."
            )
        return CallError(
            f"{status} ({self._said(error)})",
            may_be_charged=status in LOST_ANSWERS,
            retry=status in PASSING,
            wait_s=retry_after_s(error.response.headers),
        )

    def _connection_error(self, error: "openai.APIConnectionError") -> CallError:
        cause = type(error.__cause__).__name__
        if cause in NEVER_SENT:
            return CallError(f"no connection to {self._base_url} ({cause})", may_be_charged=False, retry=True)
        text = f"no answer in {self._timeout_s:g} s" if cause.endswith("Timeout") else f"connection cut ({cause})"
        return CallError(text, may_be_charged=True, retry=True)

    def _said(self, error: "openai.APIStatusError") -> str:
        said = " ".join(error.message.split())
        return (said.replace(self._api_key, "[api key]") if self._api_key else said)[:MAX_QUOTED]
