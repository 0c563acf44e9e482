"""One HTTP endpoint through the official client: it sends each request once and classifies the errors."""

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from vidassets.credentials import credential_in
from vidassets.descriptions.asking import CallError
from vidassets.descriptions.pacing import retry_after_s
from vidassets.descriptions.wire import Completion, Question, read_completion
from vidassets.errors import DescriberError

if TYPE_CHECKING:
    import openai

# The published address of the one endpoint that is known to require a key.
REQUIRES_KEY = "https://api.openai.com"
IDEMPOTENCY_HEADER = "Idempotency-Key"  # draft-ietf-httpapi-idempotency-key-header
MAX_ANSWER_BYTES = 4 * 2**20  # chosen here: a thousand times a long answer

# The work may have been done and charged although no answer came: timeouts of gateways in front of the model.
LOST_ANSWERS = frozenset({408, 502, 504, *range(520, 528)})
TEMPORARY = frozenset({408, 409, 429, *range(500, 600)})
# Errors that every frame would cause, by the endpoint's error code.
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
# Errors of the client's transport before the request was sent.
NEVER_SENT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol"})
MAX_QUOTED = 300  # characters of an endpoint's error message
FILTER_CODES = frozenset({"content_filter", "content_policy_violation"})
FIXES = {
    401: "The key was refused: check the environment variable named by `api_key` of the describer.",
    403: "The key has no access to this model, or not from here: check the account, or choose another `model`.",
    404: "The model or address does not exist: check `model` and `base_url` (it ends in /v1) of the describer.",
}


class Endpoint:
    """An open connection to an endpoint. The key is used in requests and never written elsewhere.

    Raises:
        DescriberError: the endpoint requires a key and none is given, or the key has invalid characters.
    """

    def __init__(self, base_url: str, api_key: str | None, timeout_s: float):
        import openai

        if found := credential_in(base_url):
            raise DescriberError(
                f"The base_url of the describer contains {found}, which would be shown and stored. Remove it, and give "
                "the key by the environment: `api_key: {env: NAME}`."
            )
        key = (api_key or "").strip()  # a variable read from a file often ends in a newline
        if not key and base_url.startswith(REQUIRES_KEY):
            raise DescriberError(
                f"{base_url}: no API key. Name the environment variable that holds it in the profile's describer, "
                "`api_key: {env: OPENAI_API_KEY}`, and set it."
            )
        if not key.isascii() or not key.isprintable():
            raise DescriberError("The API key contains characters that no key has: check how its variable is set.")
        self._base_url = base_url
        self._api_key = key
        self._timeout_s = timeout_s
        # No retries by the client: each request is paced and reserved in the budget by itself. A client without a key
        # would take one from the environment and send it to any endpoint that the profile names.
        self._client = openai.OpenAI(base_url=base_url, api_key=key or "none", timeout=timeout_s, max_retries=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._client.close()

    def send(self, question: Question, jpeg: bytes, idempotency_key: str) -> Completion:
        """Send one request about one picture.

        Args:
            question: the request.
            jpeg: the picture.
            idempotency_key: an endpoint that knows such keys charges the same request once, however often it is sent.

        Raises:
            CallError: the request got no answer; the error says whether to retry and whether it may be charged.
            DescriberError: every request would fail.
        """
        import openai

        deadline = time.monotonic() + self._timeout_s
        chat = self._client.chat.completions.with_streaming_response
        try:
            with chat.create(**question.body(jpeg), extra_headers={IDEMPOTENCY_HEADER: idempotency_key}) as response:
                return read_completion(self._read(response, deadline), question.structured)
        except openai.APIStatusError as error:
            if error.code in FILTER_CODES:
                return Completion("refused", error=self._message(error), input_tokens=0, output_tokens=0)
            raise self._status_error(error) from None
        except openai.APIConnectionError as error:
            raise self._connection_error(error) from None

    def _read(self, response: Any, deadline: float) -> bytes:
        """Read the whole answer by a deadline. The client's own timeout is per chunk, so a trickle would never end."""
        answer = bytearray()
        try:
            for chunk in response.iter_bytes():
                answer += chunk
                if time.monotonic() > deadline:
                    raise CallError(f"no whole answer in {self._timeout_s:g} s", may_be_charged=True, retry=True)
                if len(answer) > MAX_ANSWER_BYTES:
                    raise CallError("an answer without end", may_be_charged=True, retry=False)
        except CallError:
            raise
        except Exception as error:  # noqa: BLE001 (any error of the client's transport: the answer was cut off)
            raise CallError(
                f"the answer was cut off ({type(error).__name__})", may_be_charged=True, retry=True
            ) from None
        return bytes(answer)

    def _status_error(self, error: "openai.APIStatusError") -> DescriberError:
        status = error.status_code
        if status in FIXES:
            # The message about a refused key may contain part of the key, so it is left out.
            message = "" if status == 401 else f" ({self._message(error)})"
            return DescriberError(f"{self._base_url} answered {status}{message}. {FIXES[status]}")
        if error.code in FATAL_CODES:
            return DescriberError(
                f"{self._base_url} answered {status} {error.code} ({self._message(error)}), as for every frame. "
                "Fix the account or the describer's parameters in the profile, and run again."
            )
        return CallError(
            f"{status} ({self._message(error)})",
            may_be_charged=status in LOST_ANSWERS,
            retry=status in TEMPORARY,
            wait_s=retry_after_s(error.response.headers),
        )

    def _connection_error(self, error: "openai.APIConnectionError") -> CallError:
        cause = type(error.__cause__).__name__
        if cause in NEVER_SENT:
            return CallError(
                f"no connection to {self._base_url} ({cause}); is the server running?", may_be_charged=False, retry=True
            )
        text = f"no answer in {self._timeout_s:g} s" if cause.endswith("Timeout") else f"connection cut ({cause})"
        return CallError(text, may_be_charged=True, retry=True)

    def _message(self, error: "openai.APIStatusError") -> str:
        message = " ".join(error.message.split())
        return (message.replace(self._api_key, "[api key]") if self._api_key else message)[:MAX_QUOTED]
