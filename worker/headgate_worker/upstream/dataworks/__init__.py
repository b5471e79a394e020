"""The adapter to Alibaba Cloud DataWorks, API 2024-05-18.

`client.DataWorks` is what a worker uses, `settings.DataWorksSettings` endpoint and credentials. Everything that
decides something (requests, replies, errors, dates) is pure; only credentials, connections and transport do I/O.
Importing `client` loads the cloud SDK, which takes a second or more; `settings` does not.
"""
