"""Mutation testing: does a test notice when a line of the product means something else? (`make mutants`)

Every mutant is one small change of one statement (`operators`). Which tests execute that statement is
measured once (`seeing`) and kept until a file changes; only those tests run against the mutant, in a forked
child of a process that has collected them (`serving`), the ones that killed its neighbors first. A mutant
is killed when a test fails or does not end; one that survives wants a test, or a line in accepted.txt that
says why nobody could notice it.
"""
