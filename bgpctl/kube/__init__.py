"""Access to a Kubernetes API: configuration, requests, list+watch, Lease. Imported lazily by the CLI."""
