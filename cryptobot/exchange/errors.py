"""What can go wrong with the exchange, as the product speaks of it."""

from __future__ import annotations

from collections.abc import Mapping


class ExchangeError(Exception):
    """The exchange did not give what was asked for."""


class ExchangeUnavailableError(ExchangeError):
    """No usable answer came, however patiently it was asked for."""


class MalformedAnswerError(ExchangeError):
    """An answer came that breaks the exchange's own format."""


class RequestRefusedError(ExchangeError):
    """The exchange understood the request and refused it; asking again is of no use.

    Attributes
    ----------
    code
        The exchange's error code, such as -1121 for a symbol that it does not know.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class KlinesUnavailableError(ExchangeError):
    """Candles of a symbol, interval and range could not be had; the message names all three."""

    def __init__(self, symbol: str, interval: str, start: str, end: str, cause: Exception) -> None:
        super().__init__(f"candles of {symbol} {interval} from {start} to {end} could not be read: {cause}")
        self._parts = (symbol, interval, start, end, cause)

    def __reduce__(self) -> tuple[type[KlinesUnavailableError], tuple[str, str, str, str, Exception]]:
        """Keep the error whole on its way out of a Spark worker."""
        return type(self), self._parts


class TradesUnavailableError(ExchangeError):
    """Aggregate trades of a symbol and range could not be had; the message names both."""

    def __init__(self, symbol: str, start: str, end: str, cause: Exception) -> None:
        super().__init__(f"aggregate trades of {symbol} from {start} to {end} could not be read: {cause}")
        self._parts = (symbol, start, end, cause)

    def __reduce__(self) -> tuple[type[TradesUnavailableError], tuple[str, str, str, Exception]]:
        """Keep the error whole on its way out of a Spark worker."""
        return type(self), self._parts


class ArchiveFileMissingError(ExchangeError):
    """The archive has not published a file; the message names its symbol and its address."""

    def __init__(self, symbol: str, address: str) -> None:
        super().__init__(
            f"the archive has no file {address} of {symbol}; take the range by REST, or by the source auto,"
            " which does so by itself"
        )
        self._parts = (symbol, address)

    def __reduce__(self) -> tuple[type[ArchiveFileMissingError], tuple[str, str]]:
        """Keep the error whole on its way out of a Spark worker."""
        return type(self), self._parts


class ArchiveFileBrokenError(ExchangeError):
    """A file of the archive is not what it says it is; the message names it, its symbol and the reason."""

    def __init__(self, symbol: str, path: str, reason: str) -> None:
        super().__init__(f"the archive's file {path} of {symbol} cannot be used: {reason}")
        self._parts = (symbol, path, reason)

    def __reduce__(self) -> tuple[type[ArchiveFileBrokenError], tuple[str, str, str]]:
        """Keep the error whole on its way out of a Spark worker."""
        return type(self), self._parts


class SymbolsNotTradingError(ExchangeError):
    """Symbols are configured that the exchange does not know, or does not trade now."""

    def __init__(self, statuses: Mapping[str, str]) -> None:
        named = ", ".join(f"{symbol} ({status})" for symbol, status in sorted(statuses.items()))
        super().__init__(
            f"the exchange does not trade {named}; correct CRYPTOBOT_SYMBOLS, or wait until it trades again"
        )
        self.statuses = dict(statuses)
