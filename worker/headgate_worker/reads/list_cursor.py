"""The cursor of a list over dates and pages: where one page of ours ends and the next begins.

Upstream lists one business date a call, by page number, ascending by id. A cursor that remembers date, page and last id
shows every row that was there all the time exactly once: new rows move others to later pages, where they still come.
Rows that vanish, as upstream's retention has it, move others to earlier pages: when there are fewer than before, the
date is walked again from its first page, behind the last id. Only as many new ones in the same moment would hide that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

from headgate import pb
from headgate.backfill import dates
from headgate_worker.core.model.calls import InstancePage
from headgate_worker.reads import page_tokens


@dataclass(frozen=True, slots=True)
class ListCursor:
    """Where a list stands.

    Args:
        days: the dates to walk, oldest first, each once.
        at: position in `days`; len(days) at its end.
        page: upstream's page of that date, from 1.
        last_id: rows up to this id of that date have been shown.
        total: how many rows of that date there were at the last look; 0 before the first one.
        digest: what the arguments were; a token of others is refused.
    """

    days: tuple[date, ...]
    at: int
    page: int
    last_id: int
    total: int
    digest: str

    @classmethod
    def begin(cls, request: pb.ListWorkflowInstancesRequest) -> ListCursor:
        """The start of a list, or the place that the request's token names.

        Raises:
            BadToken: the token was not made for these arguments.
        """
        days = tuple(sorted(set(dates.walk(request.biz_dates))))
        fresh = cls(days, 0, 1, 0, 0, page_tokens.digest(request))
        return fresh._at_token(request.page_token) if request.page_token else fresh

    def _at_token(self, token: str) -> ListCursor:
        at, page, last_id, total = page_tokens.place(token, self.digest, 4)
        if at >= len(self.days) or page < 1:
            raise page_tokens.out_of_range()
        return replace(self, at=at, page=page, last_id=last_id, total=total)

    def token(self) -> str:
        """The token that continues here."""
        return page_tokens.seal(self.digest, self.at, self.page, self.last_id, self.total)

    def more(self) -> bool:
        """Whether there is anything left to walk."""
        return self.at < len(self.days)

    @property
    def day(self) -> date:
        """The date that is walked now; only while there is more."""
        return self.days[self.at]

    def next_day(self) -> ListCursor:
        """The walk at the beginning of the next date."""
        return replace(self, at=self.at + 1, page=1, last_id=0, total=0)

    def take(
        self, page: InstancePage, wanted: Callable[[pb.WorkflowInstance], bool], room: int
    ) -> tuple[list[pb.WorkflowInstance], ListCursor]:
        """At most `room` rows of an upstream page that are new and wanted, and where the walk stands then."""
        if page.total_count < self.total and self.page > 1:
            return [], replace(self, page=1, total=0)
        taken: list[pb.WorkflowInstance] = []
        last_id = self.last_id
        for seen in page.instances:
            if seen.id <= self.last_id:
                continue
            if wanted(seen):
                if len(taken) == room:
                    return taken, replace(self, last_id=last_id, total=page.total_count)
                taken.append(seen)
            last_id = seen.id
        return taken, self._after_page(page, last_id)

    def _after_page(self, page: InstancePage, last_id: int) -> ListCursor:
        full = len(page.instances) > 0 and self.page * len(page.instances) < page.total_count
        if not full:
            return self.next_day()
        return replace(self, page=self.page + 1, last_id=last_id, total=page.total_count)
