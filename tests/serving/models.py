"""Models in a registry, for tests: real bundles of a few trees."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pymongo.database import Database

from cryptobot.serving import registry
from cryptobot.serving.bundle import write_bundle
from tests.serving.bundles import CREATED_AT, KEY, forest_onnx, golden_rows, manifest


def add_model(
    database: Database[dict[str, Any]],
    seed: int = 0,
    symbol: str = "BTCUSDT",
    *,
    tamper: bool = False,
    **changes: Any,
) -> str:
    """Add a challenger whose forest and time of making follow from ``seed``; return its version."""
    other = "ETHUSDT" if symbol == "BTCUSDT" else "BTCUSDT"
    made, bundle = write_bundle(
        manifest(
            symbol=symbol,
            created_at=CREATED_AT + timedelta(minutes=seed),
            golden_rows=golden_rows(seed % 5),
            **{"other_symbol": other, **changes},
        ),
        {"random_forest": forest_onnx(seed % 5)},
        KEY,
    )
    if tamper:
        bundle = bundle[:-1] + bytes([bundle[-1] ^ 1])
    return registry.add_challenger(database, made.document(), bundle)


def promote_model(
    database: Database[dict[str, Any]], seed: int = 0, symbol: str = "BTCUSDT", **how: Any
) -> str:
    """Add a model and make it the champion; return its version."""
    version = add_model(database, seed, symbol, **how)
    registry.promote(database, symbol, version, "a test")
    return version
