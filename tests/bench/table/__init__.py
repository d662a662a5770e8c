"""The parts of the table benchmark: what is loaded, the BIRD that receives it, and who announces it."""
