"""The BGP stacks that a lab's nodes can have: who speaks BGP there, and how it is brought up.

`bgpctl` is the product itself. Of any other one the engine is real (GoBGP, FRR, BIRD), and its controllers
are emulations of ours, which do what that project's were documented and measured to do: not its code.
"""
