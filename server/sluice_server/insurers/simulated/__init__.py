"""The simulated insurer: a real HTTP server with a durable ledger, whose failures are scripted."""
