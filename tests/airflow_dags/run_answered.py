"""Run a DAG in this process while a person answers what it asks: ``run_answered.py DAG CONF ANSWERS``.

``ANSWERS`` is JSON: for each question's task the option that is chosen, by Airflow's REST API, and a note.
The last line of the output is JSON: the states of the tasks, what was asked, what was announced, and which
DAGs are to run because of that. A program, not a module of the tests: those forget the environment.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import traceback
from typing import Any

from airflow.dag_processing.dagbag import DagBag

from infra.local.airflow_environment import DAGS

_PAUSE_SECONDS = 0.3


def answer(dag_id: str, answers: dict[str, tuple[str, str]], asked: dict[str, str]) -> None:
    """Answer each question as soon as its task waits for that, and keep what was asked in ``asked``."""
    from airflow.api_fastapi.app import create_app
    from fastapi.testclient import TestClient

    client = TestClient(create_app(apps="core"))
    runs = f"/api/v2/dags/{dag_id}/dagRuns"

    def open_questions() -> list[dict[str, Any]]:
        found = client.get(f"{runs}/~/hitlDetails").raise_for_status().json()["hitl_details"]
        waiting = [each for each in found if not each["response_received"]]
        return [each for each in waiting if each["task_instance"]["state"] == "awaiting_input"]

    def reply() -> None:
        for question in open_questions():
            run_id, task_id = (question["task_instance"][name] for name in ("dag_run_id", "task_id"))
            chosen, note = answers[task_id]
            body = {"chosen_options": [chosen], "params_input": {"note": note} if note else {}}
            where = f"{runs}/{run_id}/taskInstances/{task_id}/-1/hitlDetails"
            client.patch(where, json=body).raise_for_status()
            asked[task_id] = f"{question['subject']}\n{question['body']}"

    while len(asked) < len(answers):
        time.sleep(_PAUSE_SECONDS)
        try:
            reply()
        except Exception:  # SQLite may be locked by the run itself; what was not answered is asked again
            traceback.print_exc()


def consequences() -> dict[str, Any]:
    """Return the metadata of all events, oldest first, and the DAGs that are to run because of them."""
    from airflow.models.asset import AssetEvent, AssetPartitionDagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        events = session.scalars(select(AssetEvent).order_by(AssetEvent.id))
        return {
            "announced": [event.extra for event in events],
            "started": list(session.scalars(select(AssetPartitionDagRun.target_dag_id))),
        }


def main() -> None:
    """Entry point."""
    dag_id, conf, answers = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
    asked: dict[str, str] = {}
    sys.path.insert(0, str(DAGS))
    dag = DagBag(DAGS / f"{dag_id}.py").dags[dag_id]
    dag.deadline = None  # Airflow 3.3 looks for it where only the DAG processor puts it
    if answers:
        threading.Thread(target=answer, args=(dag_id, answers, asked), daemon=True).start()
    run = dag.test(run_conf=conf)
    tasks = {task.task_id: task.state for task in run.get_task_instances()}
    print(json.dumps({"state": run.state, "tasks": tasks, "asked": asked, **consequences()}))


if __name__ == "__main__":
    main()
