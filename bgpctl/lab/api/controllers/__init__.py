"""Small controllers, so that a drain means something: owners, scheduler, kubelets, endpoints, budgets.

Each module decides purely (documents in, documents out) and has a `reconcile` that carries it out through the
same operations as any client's request. `loop.Controllers` runs them in one thread.
"""

from __future__ import annotations

from bgpctl.lab.api.controllers.loop import Controllers

__all__ = ["Controllers"]
