"""What the market page shows, asked of the API as its viewer and sent where it changed."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptobot.market.instant import from_ms
from cryptobot.settings import Settings
from dashboard import wording
from dashboard.api_client import ApiClient
from dashboard.feeds import Document, PageFeeds
from dashboard.page import Page
from dashboard.parts import cards, chart, signals
from dashboard.parts.cards import part
from dashboard.sessions import Session
from dashboard.watching import Feed

CANDLES, SIGNALS, TABLE_ROWS = 500, 200, 100


class MarketFeeds(PageFeeds):
    """The feeds of a page that shows a card for each symbol and the chart of one."""

    def __init__(
        self, api: ApiClient, session: Session, page: Page, settings: Settings, symbol: str, interval: str
    ) -> None:
        super().__init__(api, session, page)
        self._symbols, self._intervals = settings.symbols, settings.intervals
        self._symbol, self._interval = symbol, interval
        self._candles: list[Document] = []
        self._bars: list[chart.Bar] = []
        self._open_bar: chart.Bar | None = None
        self._tickers: dict[str, Document] | None = None
        self._signals: dict[str, list[Document]] = {}

    def feeds(self) -> list[Feed]:
        """Return the feeds, what is looked at first first."""
        return [
            Feed(self.ages, every_seconds=1),
            Feed(self.candles, every_seconds=2),
            Feed(self.prices, every_seconds=1),
            Feed(self.signals, every_seconds=2),
            Feed(self.models, every_seconds=10),
            Feed(self.pipeline, every_seconds=10),
        ]

    async def ages(self) -> None:
        """Show how old each price is; asks nothing, so that prices age while the API is away."""
        if self._tickers is None:
            return
        now = datetime.now(UTC)
        for symbol in self._symbols:
            text, style = cards.staleness(self._tickers.get(symbol), now)
            self._page.show(part(symbol, "staleness"), children=text, className=style)

    async def candles(self) -> None:
        """Show the chart; later only the bars that have closed since."""
        query = {"symbol": self._symbol, "interval": self._interval}
        if not self._candles:
            self._candles = await self._items("/v1/candles", {**query, "limit": CANDLES})
            self._bars = [chart.bar(candle) for candle in self._candles]
            self._show_chart()
            return
        last = self._candles[-1]["open_time"]
        found = await self._items("/v1/candles", {**query, "start": last})
        newer = [candle for candle in found if candle["open_time"] > last]
        if newer:
            self._candles = [*self._candles, *newer]
            self._bars = [*self._bars, *map(chart.bar, newer)]
            self._open_bar = None
            volumes = [("volume", chart.volume_bar(candle)) for candle in newer]
            self._tick([("candles", chart.bar(candle)) for candle in newer] + volumes)

    async def prices(self) -> None:
        """Show each symbol's price and day, and the price in the chart's open bar."""
        self._tickers = {ticker["symbol"]: ticker for ticker in await self._items("/v1/ticker")}
        for symbol in self._symbols:
            if (ticker := self._tickers.get(symbol)) is None:
                continue
            percent = ticker["change_24h_pct"]
            self._page.show(part(symbol, "price"), children=wording.price(ticker["price"]))
            self._page.show(
                part(symbol, "change"),
                children=wording.change(percent),
                className=f"change {wording.direction(percent)}",
            )
            self._page.show(part(symbol, "range"), children=cards.day_range(ticker))
        await self.ages()
        if (ticker := self._tickers.get(self._symbol)) and self._bars:
            await self._move_open_bar(ticker)

    async def signals(self) -> None:
        """Show each symbol's last signal; when one is new, the table and the chart's arrows too."""
        news = False
        for symbol in self._symbols:
            latest = await self._items("/v1/signals", {"symbol": symbol, "limit": 1})
            known = self._signals.get(symbol)
            if known is not None and latest == known[:1]:
                continue
            held = await self._items("/v1/signals", {"symbol": symbol, "limit": SIGNALS})
            self._signals[symbol] = held
            self._page.show(part(symbol, "signal"), children=cards.signal(held[0] if held else None))
            news = True
        if news:
            everything = [signal for held in self._signals.values() for signal in held]
            self._page.show("signals", rowData=signals.rows(everything)[:TABLE_ROWS])
            self._show_chart()

    async def models(self) -> None:
        """Show which model serves each symbol."""
        now = datetime.now(UTC)
        for symbol in self._symbols:
            champion = await self._get("/v1/models/champion", {"symbol": symbol})
            self._page.show(part(symbol, "model"), children=cards.model(champion, now))

    async def _move_open_bar(self, ticker: Document) -> None:
        """Put a price into the bar that is open; a replayed past has none."""
        time = chart.open_time(ticker["event_time"], self._interval)
        if time <= self._bars[-1]["time"]:
            return
        if self._open_bar is None or self._open_bar["time"] != time:
            parts: list[Document] = []
            if interval := chart.finer(self._intervals, self._interval, CANDLES):
                since = from_ms(time * 1_000).isoformat()
                query = {"symbol": self._symbol, "interval": interval, "start": since, "limit": CANDLES}
                parts = await self._items("/v1/candles", query)
            self._open_bar = chart.begun_bar(time, parts, self._bars[-1])
        self._open_bar = chart.moved_bar(self._open_bar, ticker["price"])
        self._tick([("candles", self._open_bar)])

    def _show_chart(self) -> None:
        arrows = chart.markers(self._signals.get(self._symbol, []), self._bars, self._interval)
        bars = [*self._bars, self._open_bar] if self._open_bar else self._bars
        self._page.show("chart", series=chart.series(self._candles, bars, arrows))
        missing = f"{self._interval} candles of {wording.pair(self._symbol)}"
        note = f"No {missing} yet: the pipeline has still to read them."
        self._page.show("chart-note", children=note, hidden=bool(self._bars))

    def _tick(self, ticks: list[tuple[str, Document]]) -> None:
        self._page.show("chart", tick=[{"id": series, "bar": bar} for series, bar in ticks])
