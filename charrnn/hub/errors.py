"""Hub errors as one line with a remedy, and retries with waiting times."""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from huggingface_hub import constants, errors, get_session, get_token
from huggingface_hub.errors import HTTPError  # pyright: ignore[reportPrivateImportUsage]
from huggingface_hub.utils import parse_ratelimit_headers

from charrnn.control_char_escapes import printable

Result = TypeVar("Result")

STATUS_REMEDIES = {
    401: "the Hub does not accept the token: see `hf auth whoami`, log in with `hf auth login`",
    402: "the Hub requires a paid plan for this (402): see the pricing of your account; for a Space try --zero-gpu",
    403: "the token may not write there: it needs write access to this repository",
    412: "the repository changed in the meantime (412): check it, then run the command again",
    429: "too many requests (429): wait some minutes and run the command again",
}
TEMPORARY_STATUSES = (429, 500, 502, 503, 504)
WAITS_S = (1, 4)  # before the second and third try, unless the Hub requests a time
MAX_WAIT_S = 60
MAX_REASON_CHARS = 500  # of a foreign message
RETRIED_BY_LIBRARY = re.compile(r"/info/lfs/|/preupload/|/xet-write-token/")  # six times
XET_STATUS = re.compile(r"HTTP status .*?\((\d{3})\b")  # the Xet client reports it only as text


USER_MESSAGES = {  # shown on the page, by kind, without a remedy
    "name": "{subject} is not the name of a repository on the Hub",
    "missing": "{subject} is not on the Hub, or is not public",
    "gated": "{subject} is on the Hub, but only users whom its owner approves can read it",
    "revision": "{subject} is on the Hub, but not in this version",
    "empty": "{subject} on the Hub holds no network of this lab",
    "large": "{subject} on the Hub is larger than this page takes",
    "network": "The Hub cannot be reached just now",
    "busy": "The Hub is too busy just now",
    "token": "{subject} on the Hub does not accept this page's token",
    "foreign": "{subject} on the Hub is of another project",
    "other": "{subject} could not be fetched from the Hub",
}


class HubError(ValueError):
    """
    Fetching or publishing failed; the message is one printable line with a remedy.

    `kind` is one of USER_MESSAGES.
    """

    def __init__(self, message: str, kind: str = "other"):
        message = printable(message)
        super().__init__(message)
        self.kind = kind
        self.subject = message.split(": ")[0].split(" ")[0]

    @property
    def is_temporary(self) -> bool:
        """Whether a retry may help."""
        return self.kind in ("network", "busy")

    @property
    def user_message(self) -> str:
        """The message for users of the page: one line without a remedy."""
        return USER_MESSAGES[self.kind].format(subject=self.subject)


def with_retries(attempt: Callable[[], Result], notify: Callable[[str], None]) -> Result:
    """
    Run `attempt`; retry it up to twice if the Hub is briefly busy.

    Errors that the Hub library has already retried are not retried. `attempt` must be idempotent. `notify` is called
    before each wait.
    """
    for wait in WAITS_S:
        try:
            return attempt()
        except errors.HfHubHTTPError as error:
            status = error.response.status_code
            if status not in TEMPORARY_STATUSES or RETRIED_BY_LIBRARY.search(str(error.response.url)):
                raise
            seconds = _requested_wait_s(error.response.headers, wait)
            if seconds > MAX_WAIT_S:
                raise
            notify(f"the Hub answered {status}: trying again in {seconds} s")
            time.sleep(seconds)
    return attempt()


def _requested_wait_s(headers: Mapping[str, str], otherwise: int) -> int:
    """Return the waiting time that the Hub requests, in seconds."""
    requested = headers.get("Retry-After", "")
    if requested.isascii() and requested.isdigit():
        return int(requested)
    limit = parse_ratelimit_headers(headers)
    return limit.reset_in_seconds + 1 if limit and not limit.remaining else otherwise


@contextmanager
def as_hub_errors(subject: str) -> Iterator[None]:
    """
    Turn any exception of the Hub library into one HubError.

    It can raise anything: it does not validate responses, and its client depends on environment variables.
    """
    try:
        get_session()
    except Exception as error:
        why = _first_line(_without_token(str(error)))
        raise HubError(
            f"{subject}: the Hub cannot be reached, since a proxy variable cannot be used ({why}): "
            "correct or unset http_proxy, https_proxy, all_proxy and no_proxy",
            "network",
        ) from error
    try:
        yield
    except (HubError, MemoryError):
        raise
    except Exception as error:
        kind, reason = _kind_and_reason(error, subject)
        raise HubError(_without_token(reason), kind) from error


def _cause(error: Exception) -> Exception:
    """Return the underlying error of a cache miss or a failed upload."""
    if isinstance(error, errors.LocalEntryNotFoundError) and isinstance(error.__cause__, errors.HfHubHTTPError):
        return error.__cause__
    if type(error) is RuntimeError and isinstance(error.__cause__, Exception):  # wraps a failed upload
        return error.__cause__
    return error


def _status(error: Exception) -> int | None:
    """Return the HTTP status of an error; None without a response."""
    if isinstance(error, errors.HfHubHTTPError):
        return error.response.status_code
    status_match = XET_STATUS.search(str(error)) if isinstance(error, ConnectionError) else None
    return int(status_match[1]) if status_match else None


def _kind_and_reason(error: Exception, subject: str) -> tuple[str, str]:
    """Return the kind of an error (see USER_MESSAGES) and a line with a remedy."""
    match error := _cause(error):
        case errors.HFValidationError():
            return "name", f"{subject!r} is not the name of a Hub repository (owner/name)"
        case errors.GatedRepoError():
            return "gated", f"{subject} is gated: ask for access at {constants.ENDPOINT}/{subject.partition('@')[0]}"
        case errors.RepositoryNotFoundError():
            return "missing", f"{subject} was not found, or is private: check the name, or log in with `hf auth login`"
        case errors.RevisionNotFoundError():
            return "revision", f"{subject}: there is no such branch, tag or commit"
        case _ if status := _status(error):
            kind = "busy" if status in TEMPORARY_STATUSES else "token" if status in (401, 403) else "other"
            why = isinstance(error, errors.HfHubHTTPError) and error.server_message
            reason = STATUS_REMEDIES.get(status, f"the Hub answered {status}: {_first_line(why or str(error))}")
            return kind, f"{subject}: {reason}"
        case errors.OfflineModeIsEnabled():
            return "network", f"{subject}: HF_HUB_OFFLINE disables requests to the Hub: unset it and try again"
        case errors.LocalEntryNotFoundError() | ConnectionError() | HTTPError():
            return "network", f"{subject}: the Hub cannot be reached: check the network and try again"
        case TimeoutError():
            return "network", f"{subject}: {_first_line(str(error))}"
        case (
            json.JSONDecodeError() | UnicodeError() | TypeError() | LookupError() | AttributeError() | RecursionError()
        ):
            return "other", f"{subject}: {constants.ENDPOINT} does not answer like a Hub: see HF_ENDPOINT"
    return "other", f"{subject}: {_first_line(str(error))}"


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "no reason given")[:MAX_REASON_CHARS]


def _without_token(text: str) -> str:
    token = get_token()
    return text.replace(token, "…") if token else text
