"""exchangeInfo of the offline exchange, stored and checked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pymongo.database import Database

from cryptobot.exchange.errors import SymbolsNotTradingError
from cryptobot.exchange.info import refresh_exchange_info, require_trading, weight_limit
from cryptobot.settings import Settings
from tests.exchange_server import running_exchange


@pytest.fixture(scope="module")
def exchange_url() -> Iterator[str]:
    with running_exchange() as url:
        yield url


class TestRefresh:
    def test_each_symbol_is_stored_with_its_filters(
        self, app_settings: Settings, database: Database[dict[str, Any]], exchange_url: str
    ) -> None:
        settings = app_settings.model_copy(update={"rest_url": exchange_url})
        summary = refresh_exchange_info(settings, database)
        refresh_exchange_info(settings, database)
        assert summary["symbols"] == {"BTCUSDT": "TRADING", "ETHUSDT": "TRADING"}
        stored = {document["_id"]: document for document in database["exchange_info"].find()}
        assert set(stored) == {"BTCUSDT", "ETHUSDT"}
        assert stored["BTCUSDT"]["base_asset"] == "BTC"
        assert float(stored["BTCUSDT"]["filters"]["PRICE_FILTER"]["tickSize"]) > 0
        assert stored["BTCUSDT"]["fetched_at"] >= summary["fetched_at"]

    def test_an_unknown_symbol_fails_and_is_named(
        self, app_settings: Settings, database: Database[dict[str, Any]], exchange_url: str
    ) -> None:
        update = {"rest_url": exchange_url, "symbols": ("BTCUSDT", "NOSUCHPAIR")}
        with pytest.raises(SymbolsNotTradingError, match="NOSUCHPAIR"):
            refresh_exchange_info(app_settings.model_copy(update=update), database)

    def test_asked_of_others_than_the_configured_it_tells_of_those_alone(
        self, app_settings: Settings, database: Database[dict[str, Any]], exchange_url: str
    ) -> None:
        settings = app_settings.model_copy(update={"rest_url": exchange_url, "symbols": ("NOSUCHPAIR",)})
        assert refresh_exchange_info(settings, database, ["ETHUSDT"])["symbols"] == {"ETHUSDT": "TRADING"}


def test_a_halted_symbol_does_not_trade() -> None:
    info = {"symbols": [{"symbol": "BTCUSDT", "status": "TRADING"}, {"symbol": "ETHUSDT", "status": "BREAK"}]}
    require_trading(["BTCUSDT"], info)
    with pytest.raises(SymbolsNotTradingError, match=r"ETHUSDT \(BREAK\)"):
        require_trading(["BTCUSDT", "ETHUSDT"], info)


def test_the_limit_is_that_of_one_minute_of_weight() -> None:
    limits = [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 1_200},
        {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 61_000},
    ]
    assert weight_limit({"rateLimits": limits}) == 1_200
    assert weight_limit({"rateLimits": []}) == 6_000
