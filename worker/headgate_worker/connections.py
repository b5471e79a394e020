"""The upstreams of this deployment by the name of their connection. Credentials live here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping

from headgate_worker.dataworks.settings import DataWorksSettings
from headgate_worker.ports import Upstream
from headgate_worker.settings import Settings


class Connections:
    """Upstreams by name; "" is the default one."""

    def __init__(self, upstreams: Mapping[str, Upstream]) -> None:
        self._upstreams = dict(upstreams)

    def get(self, connection: str) -> Upstream:
        """The upstream of a connection; KeyError when there is none of that name."""
        return self._upstreams[connection]

    async def aclose(self) -> None:
        """Close them all."""
        for upstream in self._upstreams.values():
            await upstream.aclose()


async def connect(settings: Settings) -> Connections:
    """Get the upstreams of the settings ready. Opens no connection yet.

    Raises:
        ValueError: the endpoint or the region makes no sense.
    """
    # The SDK takes a second to load; only here, so that settings and tests of other rooms do without it.
    from headgate_worker.dataworks.client import DataWorks

    default = DataWorks(
        DataWorksSettings(region=settings.dataworks_region, endpoint=settings.dataworks_endpoint or None)
    )
    await default.open()
    return Connections({"": default})
