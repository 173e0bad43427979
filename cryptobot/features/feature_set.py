"""The feature set: names in order, warm-up, formula and where each formula comes from.

Every formula has a finite memory, so that its warm-up is exact: a candle's features depend
on the ``warm_up`` candles before it and on nothing earlier. Exponentially smoothed
indicators (Wilder's RSI, ATR, ADX; MACD) are therefore present in their simple-average form.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from cryptobot.features import context, momentum, volatility, volume
from cryptobot.features.bars import Array, Bars


@dataclass(frozen=True)
class Feature:
    """One feature: how many candles before its own it reads, and its formula with its source.

    ``paired`` ones read the other pair's candles too.
    """

    name: str
    warm_up: int
    formula: Callable[[Bars], Array]
    source: str
    paired: bool = False


@dataclass(frozen=True)
class FeatureSet:
    """Features in the order in which models read them. A change of any is a new version."""

    version: str
    features: tuple[Feature, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(feature.name for feature in self.features)

    @cached_property
    def warm_up(self) -> int:
        """Candles needed before the one whose features are wanted."""
        return max(feature.warm_up for feature in self.features)


FEATURE_SET = FeatureSet(
    version="v1",
    features=(
        Feature("return_1", 1, partial(momentum.log_return, size=1), "log price relative"),
        Feature("return_4", 4, partial(momentum.log_return, size=4), "log price relative"),
        Feature("return_12", 12, partial(momentum.log_return, size=12), "log price relative"),
        Feature("return_24", 24, partial(momentum.log_return, size=24), "log price relative"),
        Feature(
            "distance_to_mean_96",
            95,
            partial(momentum.distance_to_mean, size=96),
            "Brock, Lakonishok, LeBaron (1992)",
        ),
        Feature(
            "price_oscillator_12_26",
            25,
            partial(momentum.percentage_price_oscillator, fast=12, slow=26),
            "Appel (1979), simple averages",
        ),
        Feature(
            "trend_strength_24",
            24,
            partial(momentum.trend_strength, size=24),
            "least-squares slope over volatility",
        ),
        Feature(
            "relative_strength_14",
            14,
            partial(momentum.relative_strength, size=14),
            "Wilder (1978), in Cutler's form",
        ),
        Feature(
            "channel_position_48",
            47,
            partial(momentum.channel_position, size=48),
            "Lane's stochastic %K (1984)",
        ),
        Feature(
            "commodity_channel_20",
            19,
            partial(momentum.commodity_channel, size=20),
            "Lambert (1980); TA-Lib CCI",
        ),
        Feature("aroon_24", 24, partial(momentum.aroon, size=24), "Chande (1995); TA-Lib AROONOSC"),
        Feature("ultimate_oscillator", 28, momentum.ultimate_oscillator, "Williams (1985); TA-Lib ULTOSC"),
        Feature("balance_of_power", 0, momentum.balance_of_power, "Livshin (2001); TA-Lib BOP"),
        Feature("efficiency_24", 24, partial(momentum.efficiency, size=24), "Kaufman (1995)"),
        Feature("realised_24", 24, partial(volatility.realised, size=24), "Andersen, Bollerslev (1998)"),
        Feature("realised_96", 96, partial(volatility.realised, size=96), "Andersen, Bollerslev (1998)"),
        Feature(
            "realised_ratio_12_96",
            96,
            partial(volatility.realised_ratio, fast=12, slow=96),
            "after Corsi's HAR (2009)",
        ),
        Feature(
            "true_range_14",
            14,
            partial(volatility.average_true_range, size=14),
            "Wilder (1978), simple average",
        ),
        Feature("parkinson_24", 23, partial(volatility.parkinson, size=24), "Parkinson (1980)"),
        Feature("garman_klass_24", 23, partial(volatility.garman_klass, size=24), "Garman, Klass (1980)"),
        Feature("bollinger_width_20", 19, partial(volatility.bollinger_width, size=20), "Bollinger (2001)"),
        Feature(
            "bollinger_position_20", 19, partial(volatility.bollinger_position, size=20), "Bollinger (2001)"
        ),
        Feature(
            "realised_skew_48",
            48,
            partial(volatility.realised_skew, size=48),
            "Amaya, Christoffersen, Jacobs, Vasquez (2015)",
        ),
        Feature("volume_z_48", 47, partial(volume.volume_z_score, size=48), "z-score of log quote volume"),
        Feature(
            "volume_trend_12_96",
            95,
            partial(volume.volume_trend, fast=12, slow=96),
            "log ratio of mean volumes",
        ),
        Feature(
            "taker_buy_share_1", 0, partial(volume.taker_buy_share, size=1), "Binance kline, taker buy volume"
        ),
        Feature(
            "taker_buy_share_24",
            23,
            partial(volume.taker_buy_share, size=24),
            "order flow imbalance, from Binance's klines",
        ),
        Feature(
            "vwap_distance_24", 23, partial(volume.vwap_distance, size=24), "Berkowitz, Logue, Noser (1988)"
        ),
        Feature("on_balance_slope_24", 23, partial(volume.on_balance_slope, size=24), "Granville (1963)"),
        Feature(
            "illiquidity_trend_12_96",
            96,
            partial(volume.illiquidity_trend, fast=12, slow=96),
            "Amihud (2002)",
        ),
        Feature("trade_size_48", 47, partial(volume.trade_size, size=48), "mean trade against its average"),
        Feature("money_flow_14", 14, partial(volume.money_flow, size=14), "Quong, Soudack (1989)"),
        Feature("hour_sin", 0, lambda bars: np.sin(context.hour_angle(bars)), "time of the UTC day"),
        Feature("hour_cos", 0, lambda bars: np.cos(context.hour_angle(bars)), "time of the UTC day"),
        Feature("week_sin", 0, lambda bars: np.sin(context.week_angle(bars)), "time of the UTC week"),
        Feature("week_cos", 0, lambda bars: np.cos(context.week_angle(bars)), "time of the UTC week"),
        Feature(
            "other_return_1",
            1,
            partial(context.other_return, size=1),
            "Lo, MacKinlay (1990), lead and lag",
            paired=True,
        ),
        Feature(
            "other_return_12",
            12,
            partial(context.other_return, size=12),
            "Lo, MacKinlay (1990), lead and lag",
            paired=True,
        ),
        Feature(
            "relative_return_24",
            24,
            partial(context.relative_return, size=24),
            "Gatev, Goetzmann, Rouwenhorst (2006)",
            paired=True,
        ),
        Feature(
            "pair_correlation_48",
            48,
            partial(context.pair_correlation, size=48),
            "Pearson, of log returns",
            paired=True,
        ),
    ),
)
