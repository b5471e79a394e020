"""What seed 004 prints, as it is printed."""

from __future__ import annotations

SECOND_ID = "2809-20190808093200"
FIRST_ID = "2438-201907261239"

FIRST_PRINTED = """{
    "instanceId": "2438-201907261239",
    "flowId": 2438,
    "flowName": "rew",
    "freq": "0 1/1 * * * ? *",
    "cycle": "mi",
    "parameters": "[]",
    "doAs": "yourDoAs",
    "graph": "{"creator":"yourCreator","freq":"0 1/1 * * * ? *","alertMode":3,"owners":";yourOwners;","cycle":"mi",\
"doAs":"yourDoAs","flows":[],"alertTo":"","name":"rew","instId":"2438-201907261239","id":2438,"relations":[],\
"parameters":"[]","appId":"","tasks":[{"taskName":"fr","taskInstId":"104452-201907261239","x":0.0198,"y":0.0045,\
"taskId":104452,"nodeId":"t_104452","status":"SUCCESS"}]}",
    "status": 0,
    "statusDesc": "INIT",
    "triggerTime": "2019-07-26 20:39:00",
    "startTime": "2019-07-26 12:39:37",
    "endTime": "2019-07-26 12:39:42",
    "timestamp": "2019-07-26 12:38:30.0",
    "virtual": false,
    "owner": "yourOwners",
    "alertMode": 3,
    "calDt": "2019-07-25",
    "hasEditPri": false,
    "hasReadPri": true
}"""

SECOND_PRINTED = """{
  "status": 0,
  "msg": " Success",
  "data": {
    "instanceId": "2809-20190808093200",
    "flowId": 2809,
    "flowName": "21",
    "freq": "0 0 0 * * ? *",
    "cycle": "D",
    "parameters": "[]",
    "doAs": "yourDoAs",
    "graph": "{"creator":"yourCreator","freq":"0 0 0 * * ? *","alertMode":3,"owners":"yourOwners","cycle":"D",\
"doAs":"yourDoAs","flows":[],"alertTo":"","name":"21","instId":"2809-20190808093200","id":2809,"relations":[],\
"parameters":"[]","appId":"","tasks":[{"taskName":"tass","taskInstId":"104890-20190808093200","x":0.002,"y":0.002,\
"taskId":104890,"nodeId":"t_104890","status":"SUCCESS"}]}",
    "status": 1,
    "statusDesc": "SUCCESS",
    "triggerTime": "2019-08-08 09:32:12",
    "startTime": "2019-08-08 09:32:30",
    "endTime": "2019-08-08 09:32:32",
    "timestamp": "2019-08-08 09:34:36.0",
    "virtual": false,
    "owner": "yourOwners",
    "alertMode": 3,
    "calDt": "2019-08-07",
    "hasEditPri": true,
    "hasReadPri": true
  }
}"""
