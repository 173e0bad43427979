"""Run one DAG in this process, as Airflow does for those who develop DAGs: ``run_dag.py DAG CONF``.

Exits with 1 unless the run succeeds. A program, not a module of the tests: those forget the environment.
"""

from __future__ import annotations

import json
import sys

from airflow.dag_processing.dagbag import DagBag
from airflow.utils.state import DagRunState

from infra.local.airflow_environment import DAGS


def main() -> int:
    """Entry point."""
    dag_id, conf = sys.argv[1:]
    sys.path.insert(0, str(DAGS))
    dag = DagBag(DAGS).dags[dag_id]
    # Airflow 3.3 looks for a deadline where only the DAG processor puts it.
    dag.deadline = None
    run = dag.test(run_conf=json.loads(conf))
    return 0 if run.state == DagRunState.SUCCESS else 1


if __name__ == "__main__":
    sys.exit(main())
