"""The one line that says why a job failed."""

from __future__ import annotations

from cryptobot.spark.failure import cause_of


class TestCauseOf:
    def test_the_worker_s_own_error_is_found_in_a_java_stack_trace(self) -> None:
        text = (
            "An error occurred while calling o56.save.\n: org.apache.spark.SparkException: Job aborted\n"
            'Traceback (most recent call last):\n  File "worker.py", line 1, in read\n'
            "cryptobot.exchange.errors.ExchangeUnavailableError: HTTP 503\n\n"
            "The above exception was the direct cause of the following exception:\n\n"
            'Traceback (most recent call last):\n  File "worker.py", line 2, in read\n'
            "cryptobot.exchange.errors.KlinesUnavailableError: candles of BTCUSDT 1m could not be read\n\n"
            "\tat org.apache.spark.api.python.BasePythonRunner.handle(PythonRunner.scala:1)\n"
        )
        assert cause_of(RuntimeError(text)) == "candles of BTCUSDT 1m could not be read"

    def test_a_plain_error_is_its_first_line(self) -> None:
        assert cause_of(ValueError("first\nsecond")) == "first"
        assert cause_of(ValueError()) == "ValueError"
