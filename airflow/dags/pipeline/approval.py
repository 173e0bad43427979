"""Approval by a person in Airflow's UI, whose answer the following tasks can read either way."""

from __future__ import annotations

from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator

ANSWER = "answer"
"""The XCom of what was answered: `approved`, `by` (None when nobody answered in time), `note`."""


class Approval(ApprovalOperator):
    """Asks a person, and leaves the answer as the XCom :data:`ANSWER`.

    A rejection skips what is directly downstream, by an exception that leaves no return value behind.
    """

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Leave the answer, then go on or skip what follows, as :class:`ApprovalOperator` does."""
        if "error" not in event:
            user = event.get("responded_by_user")
            answer = {
                "approved": event["chosen_options"] == [self.APPROVE],
                "by": user["name"] if user else None,
                "note": str((event["params_input"] or {}).get("note") or ""),
            }
            context["ti"].xcom_push(key=ANSWER, value=answer)
        return super().execute_complete(context, event)
