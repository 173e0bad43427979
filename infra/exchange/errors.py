"""The exchange's errors, with its codes and messages."""

from __future__ import annotations


class ApiError(Exception):
    """An answer ``{"code", "msg"}`` with an HTTP status of 400 or above."""

    def __init__(self, code: int, message: str, status: int = 400, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.retry_after = retry_after


def invalid_symbol() -> ApiError:
    """A symbol that is not traded here."""
    return ApiError(-1121, "Invalid symbol.")


def invalid_interval() -> ApiError:
    """A candle interval that does not exist."""
    return ApiError(-1120, "Invalid interval.")


def illegal_characters(name: str, pattern: str) -> ApiError:
    """A parameter whose text is not of its form."""
    return ApiError(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{pattern}'.")


def too_many_parameters(known: int, received: int) -> ApiError:
    """More parameters than the endpoint reads."""
    return ApiError(-1101, f"Too many parameters; expected '{known}' and received '{received}'.")


def missing(name: str) -> ApiError:
    """A mandatory parameter that was not sent."""
    return ApiError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def too_wide() -> ApiError:
    """More than an hour between two times that may not be farther apart."""
    return ApiError(-1127, "More than 1 hours between startTime and endTime.")


def bad_combination() -> ApiError:
    """Optional parameters that cannot be sent together."""
    return ApiError(-1128, "Combination of optional parameters invalid.")


def invalid_value(name: str) -> ApiError:
    """A parameter outside its range."""
    return ApiError(-1130, f"Data sent for parameter '{name}' is not valid.")


def symbol_twice() -> ApiError:
    """A list of symbols that names one more than once."""
    return ApiError(-1151, "Symbol is present multiple times in the list.")


def too_much_weight(retry_after: int, *, banned_until_ms: int | None = None) -> ApiError:
    """The weight of a minute is used up; or, after going on all the same, a ban."""
    if banned_until_ms is not None:
        message = (
            f"Way too much request weight used; IP banned until {banned_until_ms}. "
            "Please use WebSocket Streams for live updates to avoid bans."
        )
        return ApiError(-1003, message, 418, retry_after)
    message = (
        "Too much request weight used; current limit is 6000 request weight per 1 MINUTE. "
        "Please use WebSocket Streams for live updates to avoid polling the API."
    )
    return ApiError(-1003, message, 429, retry_after)
