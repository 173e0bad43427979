"""What the exchange trades, and its limits: read, checked and stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pymongo.database import Database

from cryptobot.exchange.errors import SymbolsNotTradingError
from cryptobot.exchange.pace import weight_limit as weight_limit
from cryptobot.exchange.rest import RestClient
from cryptobot.settings import Settings
from cryptobot.storage.database import Document
from cryptobot.storage.exchange_info import save_symbols

TRADING = "TRADING"
UNKNOWN = "unknown to it"


def require_trading(symbols: Iterable[str], info: Mapping[str, Any]) -> None:
    """Raise :class:`SymbolsNotTradingError` unless exchangeInfo says that all ``symbols`` trade."""
    statuses = {entry["symbol"]: str(entry["status"]) for entry in info["symbols"]}
    found = {symbol: statuses.get(symbol, UNKNOWN) for symbol in symbols}
    if halted := {symbol: status for symbol, status in found.items() if status != TRADING}:
        raise SymbolsNotTradingError(halted)


def refresh_exchange_info(
    settings: Settings, database: Database[Document], symbols: Iterable[str] | None = None
) -> dict[str, Any]:
    """Store what exchangeInfo says of ``symbols``, or of the configured ones; check that they trade.

    Returns
    -------
    dict
        ``symbols`` (symbol -> status), ``weight_limit`` per minute, ``fetched_at``.

    Raises
    ------
    SymbolsNotTradingError
        When one of them is unknown or halted; what was learned is stored before.
    """
    wanted = set(settings.symbols if symbols is None else symbols)
    with RestClient(settings.rest_url) as exchange:
        fetched_at = exchange.server_time()
        info = exchange.exchange_info()
    documents = [symbol_document(entry, fetched_at) for entry in info["symbols"] if entry["symbol"] in wanted]
    save_symbols(database, documents)
    require_trading(wanted, info)
    return {
        "symbols": {document["_id"]: document["status"] for document in documents},
        "weight_limit": weight_limit(info),
        "fetched_at": fetched_at,
    }


def symbol_document(entry: Mapping[str, Any], fetched_at: datetime) -> Document:
    """Return the stored form of a symbol: its filters by type, figures exact as on the wire."""
    filters = {
        item["filterType"]: {name: value for name, value in item.items() if name != "filterType"}
        for item in entry.get("filters", [])
    }
    return {
        "_id": entry["symbol"],
        "status": entry["status"],
        "base_asset": entry["baseAsset"],
        "quote_asset": entry["quoteAsset"],
        "filters": filters,
        "fetched_at": fetched_at,
    }
