"""What `headgate dev` writes on the screen, and in whose logs that may end."""

import pytest

from headgate_cli.actions.dev import show_endpoints
from headgate_cli.dev.deployment import Endpoints
from headgate_cli.views.output import Printer


@pytest.mark.parametrize("scheme", ["redis", "rediss", "redis+sentinel"])
def test_the_password_of_redis_is_never_shown(scheme: str, capsys: pytest.CaptureFixture[str]) -> None:
    tail = "/primary/0?sentinel_password=hunter3" if "sentinel" in scheme else "/0"
    url = f"{scheme}://me:hunter2@db.example:6379{tail}"

    show_endpoints(Endpoints("127.0.0.1:1", "127.0.0.1:2", "http://127.0.0.1:3", url), Printer())

    out = capsys.readouterr().out
    assert "hunter" not in out and "db.example:6379" in out and "me:***@" in out
