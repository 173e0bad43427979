"""Which model of each pair serves: the newest challenger, where it is better than the champion.

With `CRYPTOBOT_PROMOTION=approval` a person is asked before a challenger that passed the gate takes
the champion's place: under **Required Actions**, with both models' figures. Each pair is asked for
apart. What nobody approves within `CRYPTOBOT_APPROVAL_HOURS` is not promoted, and proposed again
with the next challengers; what is rejected is not. The first model of a pair serves without asking.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param, TaskGroup, TriggerRule, chain, task

from cryptobot.settings import settings
from pipeline.approval import ANSWER, Approval
from pipeline.assets import CHAMPIONS, MODELS
from pipeline.connections import product_database, product_settings
from pipeline.defaults import dag_defaults
from pipeline.events import made, whenever_made

_ASKED = settings().promotion == "approval"
_PATIENCE = timedelta(hours=settings().approval_hours)
_REQUEST = "request"


def _max_age() -> timedelta:
    return timedelta(days=product_settings().model_max_age_days)


def promote_at_once() -> None:
    """Promote each pair's challenger that passes the gate."""

    @task(inlets=[MODELS], outlets=[CHAMPIONS])
    def promote(*, dag_run, outlet_events) -> dict:
        """Hold each pair's newest challenger against its champion, and record why either serves."""
        from cryptobot.serving.promotion import promote_challengers

        with product_database() as database:
            decisions = promote_challengers(database, product_settings().symbols, _max_age())
        made(outlet_events, CHAMPIONS, dag_run, {"decisions": decisions})
        return decisions

    promote()


def promote_when_approved(symbol: str) -> None:
    """Promote a pair's challenger that passes the gate once a person has approved it."""

    @task.branch(inlets=[MODELS])
    def judge(*, ti) -> str:
        """Hold the newest challenger against the champion; go on to ask, or announce that it is settled."""
        from cryptobot.decisions.operational import approval_awaited
        from cryptobot.serving.approval import approval_request
        from cryptobot.serving.promotion import newest_challenge, settle_unasked

        with product_database() as database:
            found = newest_challenge(database, symbol, _max_age())
            if found is None or not found.decision.promote or found.champion is None:
                settled = settle_unasked(database, symbol, found)
                ti.xcom_push(key=_REQUEST, value={"settled": settled})
                return f"{symbol}.announce"
            version = found.challenger["_id"]
            approval_awaited(database, symbol, version, datetime.now(UTC) + _PATIENCE)
        subject, body = approval_request(found)
        ti.xcom_push(key=_REQUEST, value={"version": version, "subject": subject, "body": body})
        return f"{symbol}.approve"

    @task
    def promote(*, ti) -> dict:
        """Promote what was approved, unless the gate says otherwise by now."""
        return _settled(ti, symbol)

    @task(outlets=[CHAMPIONS], trigger_rule=TriggerRule.NONE_FAILED)
    def announce(*, ti, dag_run, outlet_events) -> dict:
        """Record a refusal, and announce what was decided."""
        request = ti.xcom_pull(task_ids=f"{symbol}.judge", key=_REQUEST)
        done = request.get("settled") or ti.xcom_pull(task_ids=f"{symbol}.promote") or _settled(ti, symbol)
        made(outlet_events, CHAMPIONS, dag_run, {"decisions": {symbol: done}})
        return done

    asked = f"ti.xcom_pull(task_ids='{symbol}.judge', key='{_REQUEST}')"
    approve = Approval(
        task_id="approve",
        subject=f"{{{{ {asked}['subject'] }}}}",
        body=f"{{{{ {asked}['body'] }}}}",
        defaults=Approval.REJECT,
        params={
            "note": Param("", type=["null", "string"], title="Why", description="Kept with the decision")
        },
        response_timeout=_PATIENCE,
        execution_timeout=None,  # would be taken for the time that a person has
    )
    judged, announced = judge(), announce()
    chain(judged, approve, promote(), announced)
    chain(judged, announced)


def _settled(ti, symbol: str) -> dict:
    """Act on the answer that was given for ``symbol``, and record it."""
    from cryptobot.decisions.operational import approval_answered
    from cryptobot.serving.promotion import Answer, settle_answered

    version = ti.xcom_pull(task_ids=f"{symbol}.judge", key=_REQUEST)["version"]
    answer = Answer(**ti.xcom_pull(task_ids=f"{symbol}.approve", key=ANSWER))
    with product_database() as database:
        approval_answered(database, version)
        return settle_answered(database, version, answer, _max_age())


with DAG(
    "champions",
    schedule=whenever_made(MODELS),
    doc_md=__doc__,
    **dag_defaults("serving", deadline=timedelta(minutes=30) + (_PATIENCE if _ASKED else timedelta(0))),
):
    if _ASKED:
        for each in settings().symbols:
            with TaskGroup(each):
                promote_when_approved(each)
    else:
        promote_at_once()
