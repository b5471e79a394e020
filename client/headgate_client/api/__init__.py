"""What can be asked of a deployment: one class per gRPC service, the handle of a job, submits and pages."""
