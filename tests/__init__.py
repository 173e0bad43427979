"""The tests; the caller's own installation is not theirs: its settings are forgotten before any is read."""

import os

PLACES = {"CRYPTOBOT_CACHE_DIR", "CRYPTOBOT_SHARED_DATA"}
"""Where downloads and the recorded market data are: the same for every installation."""

for _name in set(os.environ) - PLACES:
    if _name.startswith(("CRYPTOBOT_", "EXCHANGE", "REPLAY_", "AIRFLOW")):
        del os.environ[_name]
os.environ["CRYPTOBOT_ENV_FILE"] = os.devnull
