"""The adapter to Alibaba Cloud DataWorks, API 2024-05-18."""
