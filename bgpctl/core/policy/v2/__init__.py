"""The v2 resources: CiliumBGPClusterConfig, PeerConfig, Advertisement and NodeConfigOverride, one module
each, and `compile`, which joins them into one node's NodeConfig."""
