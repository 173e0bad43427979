"""Announce assets to a real Airflow, and see what its scheduler starts: ``run_scheduler.py ROUNDS``.

``ROUNDS`` is JSON: a list of rounds, each a list of (asset, partition key); after each the scheduler looks
once. The last line of the output is JSON: by round, for each run that was made, its DAG and what it consumed.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from airflow.assets.manager import asset_manager
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.asset import AssetModel
from airflow.models.dagrun import DagRun
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from sqlalchemy import select

from infra.local.airflow_environment import DAGS

Key = tuple[str, str]


def look(announced: list[Key]) -> list[tuple[str, list[Key]]]:
    """Return the runs that the scheduler makes of what is announced."""
    with create_session() as session:
        for name, key in announced:
            asset = session.scalar(select(AssetModel).where(AssetModel.name == name))
            asset_manager.register_asset_change(asset=asset, partition_key=key, extra={}, session=session)
    with create_session() as session:
        before = set(session.scalars(select(DagRun.id)))
        job = Job()
        session.add(job)
        session.flush()
        SchedulerJobRunner(job)._create_dagruns_for_partitioned_asset_dags(session)
        made: list[Any] = session.scalars(select(DagRun).order_by(DagRun.dag_id)).all()
        return [
            (
                run.dag_id,
                sorted((event.asset.name, event.partition_key) for event in run.consumed_asset_events),
            )
            for run in made
            if run.id not in before
        ]


def main() -> None:
    """Entry point."""
    sys.path.insert(0, str(DAGS))
    initdb()
    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(DagBag(DAGS), "dags-folder", None)
    rounds = [look(announced) for announced in json.loads(sys.argv[1])]
    print(json.dumps(rounds))


if __name__ == "__main__":
    main()
