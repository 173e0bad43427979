from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import encode
from hypothesis import given
from hypothesis import strategies as st

from cryptobot.market.instant import from_ms
from streaming.documents import BrokenMessageError, document, wrap
from tests.streaming.feed import START_MS, kline, ticker, trade

RECEIVED = START_MS + 5


def made(frame: str) -> dict[str, Any]:
    found = document(wrap(frame.encode(), RECEIVED))
    assert found is not None
    return found


class TestWrap:
    def test_keeps_the_exchanges_bytes_and_adds_when_they_came(self) -> None:
        frame = trade("BTCUSDT", 7).encode()
        assert wrap(frame, 12) == frame[:-1] + b',"received_at":12}'
        assert json.loads(wrap(frame + b"\n", 12)) == {**json.loads(frame), "received_at": 12}


class TestDocument:
    def test_trade(self) -> None:
        assert made(trade("BTCUSDT", 7)) == {
            "_id": "trade|BTCUSDT|7",
            "kind": "trade",
            "symbol": "BTCUSDT",
            "trade_id": 7,
            "price": 63000.12,
            "quantity": 0.0012,
            "buyer_is_maker": True,
            "event_time": from_ms(START_MS + 7),
            "received_at": from_ms(RECEIVED),
            "source": "stream",
        }

    def test_closed_candle(self) -> None:
        assert made(kline("BTCUSDT", 0, closed=True)) == {
            "_id": f"kline|BTCUSDT|1m|{START_MS}",
            "kind": "kline",
            "symbol": "BTCUSDT",
            "interval": "1m",
            "open_time": from_ms(START_MS),
            "close_time": from_ms(START_MS + 59_999),
            "open": 10.0,
            "high": 12.0,
            "low": 9.0,
            "close": 11.0,
            "volume": 5.5,
            "quote_volume": 55.0,
            "trades": 9,
            "taker_buy_base": 2.0,
            "taker_buy_quote": 20.0,
            "received_at": from_ms(RECEIVED),
            "source": "stream",
        }

    def test_open_candle_is_no_document(self) -> None:
        assert document(wrap(kline("BTCUSDT", 0, closed=False).encode(), RECEIVED)) is None

    def test_ticker_has_one_key_a_symbol(self) -> None:
        found = made(ticker("BTCUSDT", "7.5"))
        assert (found["_id"], found["close"], found["received_at"]) == (
            "ticker|BTCUSDT",
            7.5,
            datetime.fromtimestamp(RECEIVED / 1000, UTC),
        )

    def test_tells_what_was_fetched_to_fill_a_hole(self) -> None:
        message = {**json.loads(trade("BTCUSDT", 7)), "received_at": RECEIVED, "source": "rest"}
        found = document(json.dumps(message).encode())
        assert found == {**made(trade("BTCUSDT", 7)), "source": "rest"}

    @pytest.mark.parametrize("source", ["hearsay", None, ["rest"]])
    def test_refuses_another_source(self, source: object) -> None:
        message = {**json.loads(trade("BTCUSDT", 7)), "received_at": RECEIVED, "source": source}
        with pytest.raises(BrokenMessageError, match="source"):
            document(json.dumps(message).encode())

    @pytest.mark.parametrize(
        ("changed", "named"),
        [
            ({"p": "NaN"}, "price"),
            ({"q": "inf"}, "quantity"),
            ({"t": 2**63}, "trade_id"),
            ({"t": -1}, "trade_id"),
            ({"s": ["BTCUSDT"]}, "symbol"),
            ({"T": 10**18}, "OverflowError"),
            ({"p": "1,5"}, "ValueError"),
            ({"e": "depthUpdate"}, "depthUpdate"),
        ],
    )
    def test_names_what_is_broken(self, changed: dict[str, Any], named: str) -> None:
        with pytest.raises(BrokenMessageError, match=named):
            document(wrap(trade("BTCUSDT", 7, **changed).encode(), RECEIVED))

    @pytest.mark.parametrize("value", [b"", b"\xff\x00", b"[]", b"1", b'{"data":{}}', b'{"data":1}'])
    def test_refuses_what_is_no_event(self, value: bytes) -> None:
        with pytest.raises(BrokenMessageError):
            document(value)

    @given(
        changed=st.dictionaries(
            st.sampled_from(["e", "s", "t", "p", "q", "T", "m"]),
            st.none() | st.booleans() | st.integers() | st.text("aB0.-é\0") | st.lists(st.integers()),
        )
    )
    def test_whatever_passes_can_be_stored(self, changed: dict[str, Any]) -> None:
        try:
            found = document(wrap(trade("BTCUSDT", 7, **changed).encode(), RECEIVED))
        except BrokenMessageError:
            return
        assert found is None or encode(found)
