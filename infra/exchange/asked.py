"""One REST request: its parameters, its moment, and the unit of its times."""

from __future__ import annotations

from dataclasses import dataclass

from infra.exchange import errors
from infra.exchange.instruments import Instrument
from infra.exchange.parameters import Parameters
from infra.exchange.present import Present


@dataclass(frozen=True, slots=True)
class Asked:
    """What an endpoint answers from; ``scale`` is 1,000 where microseconds are asked for."""

    present: Present
    query: Parameters
    now_us: int
    scale: int

    @property
    def now_ms(self) -> int:
        """The moment of the request in ms."""
        return self.now_us // 1_000

    @property
    def symbol(self) -> str:
        """The mandatory ``symbol``, which is traded."""
        return self.query.symbol(self.present.market.instruments)

    @property
    def instrument(self) -> Instrument:
        """The instrument of ``symbol``."""
        return self.present.instrument(self.symbol)

    def symbols(self) -> tuple[list[str], bool]:
        """Return the symbols that a ticker is asked for, and whether the answer is one object."""
        traded = self.present.market.instruments
        if "symbol" in self.query and "symbols" in self.query:
            raise errors.bad_combination()
        if "symbol" in self.query:
            return [self.symbol], True
        if "symbols" in self.query:
            return self.query.symbol_list(traded), False
        return list(traded), False
