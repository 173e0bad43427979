"""The exchange as one server: REST, streams and archive on one port."""

from __future__ import annotations

import asyncio
import contextlib
import signal

from aiohttp import web

from infra.exchange import sockets
from infra.exchange.clock import Clock
from infra.exchange.feed import Feed
from infra.exchange.history import History
from infra.exchange.options import Options
from infra.exchange.present import Present
from infra.exchange.rest import Rest, answer_errors
from infra.exchange.synthetic import SyntheticMarket


async def serve(options: Options) -> None:
    """Serve until SIGTERM or SIGINT."""
    market = SyntheticMarket(
        options.symbols,
        seed=options.seed,
        signal_strength=options.signal_strength,
        trades_per_second=options.trades_per_second,
    )
    present = Present(History(market), Clock(options.speed))
    feed = Feed(present)
    app = web.Application(middlewares=[answer_errors])
    app.add_routes([*Rest(present).routes(), *sockets.routes(feed)])
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    await web.TCPSite(runner, options.host, options.port).start()
    print(f"exchange: listening on http://{options.host}:{options.port}", flush=True)
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    loop = asyncio.create_task(feed.run())
    await stop.wait()
    loop.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await loop
    await runner.cleanup()
