"""The tasks of an ad hoc workflow instance."""

from __future__ import annotations

import json

from headgate_worker.core.model import calls
from tests.worker.upstream.dataworks.requests.conftest import Sent
from tests.worker.upstream.dataworks.specs import adhoc_spec


async def test_adhoc_run_travels_as_tasks(sent: Sent) -> None:
    spec = adhoc_spec()
    first = spec.tasks[0]
    first.timeout, first.script_parameters, first.image, first.cu = 60, "p=$bizdate", "image", "0.25"
    first.data_source_name = "odps"
    first.dependency_upstream_outputs.append("up")
    first.input_variables.add(name="in", value="up:x")
    first.task_outputs.append("out")
    first.output_variables.add(name="v", type="Constant", value="1")
    spec.tasks.add(client_unique_code="two", name="bare", type="DIDE_SHELL", owner="o", resource_group_id="g")

    form = (await sent(calls.ExecuteAdhoc(spec))).form

    full, bare = json.loads(form.pop("Tasks"))
    assert full == {
        "ClientUniqueCode": "one",
        "Name": "select",
        "Type": "ODPS_SQL",
        "Owner": "200527038829996354",
        "Timeout": 60,
        "RuntimeResource": {"ResourceGroupId": "S_res_group_1", "Image": "image", "Cu": "0.25"},
        "Script": {"Content": "select 1;", "Parameters": "p=$bizdate"},
        "DataSource": {"Name": "odps"},
        "Dependencies": [{"UpstreamOutput": "up"}],
        "Inputs": {"Variables": [{"Name": "in", "Value": "up:x"}]},
        "Outputs": {
            "TaskOutputs": [{"Output": "out"}],
            "Variables": [{"Name": "v", "Type": "Constant", "Value": "1"}],
        },
    }
    assert bare == {
        "ClientUniqueCode": "two",
        "Name": "bare",
        "Type": "DIDE_SHELL",
        "Owner": "o",
        "RuntimeResource": {"ResourceGroupId": "g"},
        "Dependencies": [],
    }
    assert form == {
        "BizDate": "1738684800000",
        "EnvType": "Dev",
        "Name": "adhoc one",
        "Owner": "200527038829996354",
        "ProjectId": "257880",
    }
