"""Wrong use of a command, and the exit statuses. Pure."""

OK = 0
JOB_NOT_SUCCEEDED = 1
USAGE = 2
UNAVAILABLE = 3
NOT_FOUND = 4
REFUSED = 5
INTERRUPTED = 130
READER_GONE = 141

EXIT_STATUSES = {
    OK: "done; with --wait: the job succeeded",
    JOB_NOT_SUCCEEDED: "the job failed, was cancelled or needs attention; report, fsck: something is wrong",
    USAGE: "wrong use, or an argument that the server does not accept",
    UNAVAILABLE: "the server, or something that it needs, can't be reached",
    NOT_FOUND: "no such job or instance",
    REFUSED: "the server refused for another reason: state, rights, quota",
    INTERRUPTED: "interrupted with Ctrl-C, or not confirmed",
    READER_GONE: "the reader closed the pipe before the end of the output, as head does",
}
"""What each exit status means, for help and documents."""


class UsageFault(ValueError):
    """An argument that can't be used.

    Args:
        flag: the argument, such as "--biz-dates".
        message: what is wrong and what would be right.
    """

    def __init__(self, flag: str, message: str) -> None:
        super().__init__(f"{flag}: {message}")
        self.flag = flag
        self.message = message
