"""Returns a pair to the model that served before its champion.

Trigger it with the form. What is quarantined, was rolled back itself, or has lost its bundle is passed
over for what served earlier; without any the run fails, and the champion serves on. Where a version is
given and another serves by now, the run fails and changes nothing. The version that is left is not
promoted again by itself. `deployment` follows, and shows that every worker serves the champion.

The same on a command line: `cryptobot-models roll-back BTCUSDT --reason "…"`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param, PartitionedAtRuntime, task
from airflow.sdk.exceptions import AirflowFailException

from cryptobot.settings import settings
from pipeline.assets import CHAMPIONS
from pipeline.connections import product_database
from pipeline.defaults import dag_defaults

with DAG(
    "roll_back",
    schedule=PartitionedAtRuntime(),
    doc_md=__doc__,
    params={
        "symbol": Param(
            type="string", enum=list(settings().symbols), title="Pair", description="Whose champion is left"
        ),
        "reason": Param(
            type="string",
            minLength=1,
            maxLength=500,
            title="Reason",
            description="Kept with both models, and shown beside the champion",
        ),
        "version": Param(
            None,
            type=["null", "string"],
            maxLength=100,
            title="Version",
            description="The champion that you mean: nothing is done if another serves by now",
        ),
    },
    **dag_defaults("serving", deadline=timedelta(minutes=15)),
):

    @task(outlets=[CHAMPIONS])
    def roll_back(*, params, dag_run, outlet_events) -> dict:
        """Point at the last sound model before the champion, and announce it."""
        from cryptobot.serving.orders import roll_back_by_hand
        from cryptobot.serving.registry import RegistryError

        symbol = params["symbol"]
        with product_database() as database:
            try:  # a try of this task that was interrupted is not repeated
                pointer = roll_back_by_hand(
                    database,
                    symbol,
                    "in Airflow",
                    params["reason"],
                    params["version"] or None,
                    since=dag_run.start_date,
                )
            except RegistryError as error:
                raise AirflowFailException(str(error)) from error
        decision = {"promoted": True, "version": pointer["version"], "reason": pointer["reason"]}
        outlet_events[CHAMPIONS].add_partitions(dag_run.run_id)
        outlet_events[CHAMPIONS].extra = {"decisions": {symbol: decision}}
        return decision

    roll_back()
