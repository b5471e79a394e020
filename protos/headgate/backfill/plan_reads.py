"""What servers ask workers for plans, by the names on the read lane."""

from __future__ import annotations

from typing import Final

PLAN: Final = "PlanBackfill"
"""PlanBackfillRequest to BackfillPlan: the RPC itself; each date is looked up."""

SURVEY_DATES: Final = "SurveyBackfillDates"
"""PlanLargeBackfillRequest to PlanProgress: dates are looked up and kept, but for those that are fresh on record."""

PLAN_SURVEYED: Final = "PlanSurveyedBackfill"
"""PlanLargeBackfillRequest to BackfillPlan: the plan of dates that are on record."""
