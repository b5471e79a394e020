"""From calls to the SDK's request models. Nothing is sent here. Pure."""
