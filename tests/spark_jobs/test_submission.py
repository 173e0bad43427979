from __future__ import annotations

from cryptobot.spark.submission import JAVA_OPTIONS, LARGE_ROWS, SUBMIT_CONF, java_options


def test_only_a_long_run_is_compiled_thoroughly() -> None:
    quick = java_options(LARGE_ROWS - 1)
    assert quick == SUBMIT_CONF[JAVA_OPTIONS]
    assert "-XX:TieredStopAtLevel=1" in quick
    assert java_options(LARGE_ROWS).split() == [
        option for option in quick.split() if option != "-XX:TieredStopAtLevel=1"
    ]
