"""The exchange as one server: REST, streams and archive on one port."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import ssl
import time

from aiohttp import web

from infra.exchange import archive, faults, sockets
from infra.exchange.bars import DAY_MS
from infra.exchange.clock import Clock
from infra.exchange.faults import Faults
from infra.exchange.feed import Feed
from infra.exchange.history import History
from infra.exchange.limits import Weights
from infra.exchange.market import Market
from infra.exchange.options import OptionError, Options
from infra.exchange.present import Present
from infra.exchange.replay import ReplayMarket
from infra.exchange.rest import Rest
from infra.exchange.synthetic import SyntheticMarket

_STOP_SECONDS = 2.0


def moments(options: Options) -> tuple[Present, Present]:
    """Return what REST and archive show, and what the streams show.

    They are the same, except that a record at its own times is all history to REST while the
    streams play its last 24 hours round and round.
    """
    clock = Clock(options.speed)
    if options.replay_dir is None:
        synthetic = SyntheticMarket(
            options.symbols,
            seed=options.seed,
            signal_strength=options.signal_strength,
            trades_per_second=options.trades_per_second,
        )
        return _alike(synthetic, clock, options)
    replay = ReplayMarket(options.replay_dir, clock.now_ms() if options.replay_shift else None)
    if options.replay_shift:
        return _alike(replay, clock, options)
    history = History(replay, options.cache_mb)
    lap = Clock(options.speed, (replay.record_end - DAY_MS, replay.record_end))
    return Present(history, clock), Present(history, lap)


def _alike(market: Market, clock: Clock, options: Options) -> tuple[Present, Present]:
    present = Present(History(market, options.cache_mb), clock)
    return present, present


async def serve(options: Options) -> None:
    """Serve until SIGTERM or SIGINT; raises ``OSError`` when a port is not free."""
    began = time.monotonic()
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    present, live = moments(options)
    wrong = Faults()
    feed = Feed(live, wrong)
    visitors = sockets.Visitors(feed, wrong, options)
    app = web.Application()
    app.add_routes(
        [
            *visitors.routes(),
            *Rest(present, Weights(options.weight_limit), wrong).routes(),
            *archive.Archive(present, wrong, options.cache_mb).routes(),
        ]
    )
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=_STOP_SECONDS)
    admin = web.AppRunner(faults.application(wrong, visitors.drop_all), access_log=None)
    try:
        await runner.setup()
        await web.TCPSite(runner, options.host, options.port).start()
        if options.tls_cert is not None:
            context = _tls(options)
            await web.TCPSite(runner, options.host, options.tls_port, ssl_context=context).start()
        if options.admin_port is not None:
            await admin.setup()
            await web.TCPSite(admin, "127.0.0.1", options.admin_port).start()
        ready = time.monotonic() - began
        print(f"exchange: listening on http://{options.host}:{options.port} after {ready:.1f} s", flush=True)
        loop = asyncio.create_task(feed.run())
        ended = asyncio.create_task(stop.wait())
        await asyncio.wait({loop, ended}, return_when=asyncio.FIRST_COMPLETED)
        await visitors.announce_shutdown(_STOP_SECONDS)
        ended.cancel()
        if loop.done():
            loop.result()
        loop.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await loop
    finally:
        await admin.cleanup()
        await runner.cleanup()


def _tls(options: Options) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(str(options.tls_cert), str(options.tls_key))
    except ssl.SSLError as error:
        raise OptionError(
            f"EXCHANGE_TLS_CERT ({options.tls_cert}) and EXCHANGE_TLS_KEY ({options.tls_key}) are no "
            f"certificate and its key in PEM: {error}"
        ) from error
    return context
