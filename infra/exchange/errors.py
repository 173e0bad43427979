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
    """Return the error of a symbol that is not traded here."""
    return ApiError(-1121, "Invalid symbol.")


def invalid_interval() -> ApiError:
    """Return the error of a candle interval that does not exist."""
    return ApiError(-1120, "Invalid interval.")


def illegal_characters(name: str, pattern: str) -> ApiError:
    """Return the error of a parameter whose text is not of its form."""
    return ApiError(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{pattern}'.")


def too_many_parameters(known: int, received: int) -> ApiError:
    """Return the error of a request with parameters that the endpoint does not read."""
    return ApiError(-1101, f"Too many parameters; expected '{known}' and received '{received}'.")


def missing(name: str) -> ApiError:
    """Return the error of a mandatory parameter that was not sent."""
    return ApiError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def too_wide() -> ApiError:
    """Return the error of two times that are more than an hour apart."""
    return ApiError(-1127, "More than 1 hours between startTime and endTime.")


def bad_combination() -> ApiError:
    """Return the error of optional parameters that cannot be sent together."""
    return ApiError(-1128, "Combination of optional parameters invalid.")


def invalid_value(name: str) -> ApiError:
    """Return the error of a parameter outside its range."""
    return ApiError(-1130, f"Data sent for parameter '{name}' is not valid.")


def symbol_twice() -> ApiError:
    """Return the error of a list that names a symbol more than once."""
    return ApiError(-1151, "Symbol is present multiple times in the list.")
