"""Policies, Services, endpoints and the Node -> what one node should run, and how that differs from now."""
