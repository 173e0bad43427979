"""From the registry to a bundle that may serve: read, verified, tried, scored and warmed up."""

from __future__ import annotations

import numpy as np
import pymongo
from pymongo.database import Database

from cryptobot.serving import registry
from cryptobot.serving.bundle import MAX_BYTES, Bundle, BundleError, verify_bundle
from cryptobot.serving.trial import Trial
from cryptobot.settings import Settings
from cryptobot.storage.database import Document

READ_SECONDS = 30.0
_WARM_UP_ROUNDS = 20


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
            _require_not_quarantined(self._database, version)
            data = registry.load_bundle(self._database, version, MAX_BYTES)
        manifest, model = verify_bundle(data, self._key)
        if (manifest.symbol, manifest.version) != (symbol, version):
            raise BundleError(
                f"the registry's {version} for {symbol} holds {manifest.version} for {manifest.symbol}"
            )
        self._trial.run([model], np.array([row.features for row in manifest.golden_rows], dtype=np.float32))
        bundle = Bundle(manifest, model)
        bundle.check_golden_rows()
        _warm_up(bundle)
        return bundle

    def close(self) -> None:
        """End what was started; a trial under way ends with it."""
        self._trial.close()


def _require_not_quarantined(database: Database[Document], version: str) -> None:
    """Raise where another worker has found the bundle bad: it need not be found twice."""
    if reason := registry.model(database, version).get("quarantine_reason"):
        raise BundleError(str(reason))


def _warm_up(bundle: Bundle) -> None:
    """Score until the runtime has allocated what it keeps, so that no request pays for it."""
    row = np.array([bundle.manifest.golden_rows[0].features], dtype=np.float32)
    for _ in range(_WARM_UP_ROUNDS):
        bundle.predict(row)
