"""Every message and enum of `headgate.v1` under one short name: `from headgate import pb`, then `pb.Job`.

Always qualified, so that a reader sees where the wire begins. Service stubs are not here: they import grpc, which a
worker does without.
"""

from headgate.v1.admin_service_pb2 import *  # noqa: F403
from headgate.v1.backfill_pb2 import *  # noqa: F403
from headgate.v1.backfill_service_pb2 import *  # noqa: F403
from headgate.v1.event_pb2 import *  # noqa: F403
from headgate.v1.flow_instance_pb2 import *  # noqa: F403
from headgate.v1.flow_instance_service_pb2 import *  # noqa: F403
from headgate.v1.job_pb2 import *  # noqa: F403
from headgate.v1.job_report_pb2 import *  # noqa: F403
from headgate.v1.job_service_pb2 import *  # noqa: F403
from headgate.v1.task_instance_pb2 import *  # noqa: F403
from headgate.v1.task_instance_service_pb2 import *  # noqa: F403
from headgate.v1.watch_pb2 import *  # noqa: F403
from headgate.v1.workflow_instance_pb2 import *  # noqa: F403
from headgate.v1.workflow_instance_service_pb2 import *  # noqa: F403
