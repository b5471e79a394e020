"""A server whose Redis is known to Sentinels: it serves, and it follows the primary after a failover."""

from pathlib import Path

import grpc
from redis.exceptions import RedisError

from headgate import pb
from headgate_cli.dev.redis_server import RedisServer
from headgate_worker.store.clients import close, command_client
from tests.server.world import backfill, serving
from tests.worker.conftest import eventually
from tests.worker.store.test_clients import sentinel


def port_of(server: RedisServer) -> int:
    return int(server.url.rsplit(":", 1)[1].split("/")[0])


async def test_a_server_follows_the_primary(tmp_path: Path) -> None:
    async with RedisServer() as old, RedisServer() as new:
        replica = command_client(new.url, connections=2)
        await replica.replicaof("127.0.0.1", port_of(old))
        async with sentinel(port_of(old), tmp_path) as port:
            asked = command_client(f"redis://127.0.0.1:{port}", connections=1)

            async def replica_known() -> bool:
                try:
                    found = await asked.sentinel_slaves("headgate")  # type: ignore[no-untyped-call]
                except RedisError:
                    return False
                return len(found) == 1

            await eventually(replica_known)
            async with serving(f"redis+sentinel://127.0.0.1:{port}/headgate", client_url=new.url) as world:
                first = await world.backfills.CreateBackfill(backfill())

                async def copied() -> bool:
                    return bool(await replica.exists(f"hg:job:{first.name.removeprefix('jobs/')}"))

                await eventually(copied)
                await old.kill()

                async def accepts() -> bool:
                    try:
                        return bool((await world.backfills.CreateBackfill(backfill(request_id="after"))).name)
                    except grpc.RpcError:
                        return False

                await eventually(accepts, seconds=40)
                assert (await world.jobs.GetJob(pb.GetJobRequest(name=first.name))).uid == first.uid
            await close(asked)
        await close(replica)
