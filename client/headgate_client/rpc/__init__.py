"""One call or stream to the server: options, token, deadline, retries, errors. No service is known here."""
