"""The preview and the question at a terminal before a job is ended, run again or deleted."""

from headgate_cli.actions.confirming.confirmation import confirm
from headgate_cli.actions.confirming.retry import RetryChoice, chosen_days
from headgate_cli.actions.jobs import cancel_mode
from headgate_cli.input.parameters import ServerFlags
from headgate_cli.views.previews import cancel_lines, delete_lines, retry_lines


def cancel(job: str, mode: str, server: ServerFlags, *, is_agreed: bool) -> None:
    """Show which instances a cancel stops, and ask."""
    confirm(f"End {job}?", job, lambda found: cancel_lines(found, cancel_mode(mode)), server, is_agreed=is_agreed)


def retry(job: str, choice: RetryChoice, server: ServerFlags, *, is_agreed: bool) -> None:
    """Show which dates run again, and ask."""
    question = f"Run them again as part of {job}?"
    confirm(question, job, lambda found: retry_lines(found, chosen_days(found, choice)), server, is_agreed=is_agreed)


def delete(job: str, server: ServerFlags, *, is_agreed: bool) -> None:
    """Show what is deleted, and ask."""
    confirm(f"Delete {job} and its log?", job, delete_lines, server, is_agreed=is_agreed)
