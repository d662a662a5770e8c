"""Calico in a lab: a real BIRD 2 per node where Calico runs its own fork of BIRD 1.6, and an emulation of
what confd and calico-node do with Calico's objects, as they are documented. None of it is Calico's code."""
