"""Walk the pages of a list as one async iterator."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol, TypeVar


class PagedRequest(Protocol):
    """A list request."""

    page_token: str


class PagedReply(Protocol):
    """A list reply."""

    @property
    def next_page_token(self) -> str:
        """What the next page is asked for with; empty on the last page."""


Request = TypeVar("Request", bound=PagedRequest)
Reply = TypeVar("Reply", bound=PagedReply)
Row = TypeVar("Row")


async def walk_pages(
    fetch: Callable[[Request], Awaitable[Reply]], request: Request, rows: Callable[[Reply], Sequence[Row]]
) -> AsyncIterator[Row]:
    """Yield the rows of all pages, fetching each page when it is reached.

    `request` is the first page's request and is changed from page to page. Fails as `fetch` does.
    """
    while True:
        reply = await fetch(request)
        for row in rows(reply):
            yield row
        if not reply.next_page_token:
            return
        request.page_token = reply.next_page_token
