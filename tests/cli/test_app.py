"""The command line as a whole."""

from importlib import metadata

from tests.cli.processes import headgate


async def test_the_version_is_that_of_the_package() -> None:
    done = await headgate("--version")

    assert (done.status, done.out) == (0, f"headgate {metadata.version('headgate')}\n")
