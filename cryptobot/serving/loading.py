"""From the registry to a bundle that may serve: read, verified, tried, scored and warmed up."""

from __future__ import annotations

import pymongo
from pymongo.database import Database

from cryptobot.serving import registry
from cryptobot.serving.bundle import (
    MAX_BYTES,
    Bundle,
    BundleCorruptError,
    BundleError,
    golden_features,
    verify_bundle,
)
from cryptobot.serving.trial import Trial
from cryptobot.settings import Settings
from cryptobot.storage.database import Document

READ_SECONDS = 30.0
_WARM_UP_ROUNDS = 20


class BundleQuarantinedError(BundleError):
    """A bundle that was found bad before; the message is the reason that was given then."""


class BundleLoader:
    """Loads bundles one after another; what a bundle's model does is tried in another process first."""

    def __init__(self, database: Database[Document], settings: Settings) -> None:
        self._database = database
        self._key = settings.bundle_key
        self._trial = Trial(settings.bundle_load_seconds)

    def load(self, symbol: str, version: str) -> Bundle:
        """Return the bundle of ``version``, ready to answer.

        Raises
        ------
        BundleError, RegistryError
            It must not be served.
        TrialUnfinishedError
            Nothing is known of it yet; try again.
        PyMongoError
            MongoDB does not answer.
        """
        with pymongo.timeout(READ_SECONDS):
            data = read_bundle(self._database, version)
        manifest, model = verify_bundle(data, self._key)
        if (manifest.symbol, manifest.version) != (symbol, version):
            raise BundleError(
                f"the registry's {version} for {symbol} holds {manifest.version} for {manifest.symbol}"
            )
        self._trial.run([model], golden_features(manifest))
        bundle = Bundle(manifest, model)
        bundle.check_golden_rows()
        _warm_up(bundle)
        return bundle

    def close(self) -> None:
        """End what was started, for good; a trial under way ends with it."""
        self._trial.close()


def read_bundle(database: Database[Document], version: str) -> bytes:
    """Return the bytes of a bundle that nobody has found bad and that is no larger than a bundle may be.

    Raises
    ------
    BundleQuarantinedError
        It is quarantined: it need not be found bad twice.
    RegistryError
        There is no such bundle, or it is too large.
    """
    if reason := registry.model(database, version).get("quarantine_reason"):
        raise BundleQuarantinedError(str(reason))
    return registry.load_bundle(database, version, MAX_BYTES)


def _warm_up(bundle: Bundle) -> None:
    """Score until the runtime has allocated what it keeps, so that no request pays for it."""
    row = golden_features(bundle.manifest)[:1]
    try:
        for _ in range(_WARM_UP_ROUNDS):
            bundle.predict(row)
    except (ValueError, TypeError) as error:
        raise BundleCorruptError(
            f"{bundle.manifest.version}: one row alone cannot be scored: {error}"
        ) from error
