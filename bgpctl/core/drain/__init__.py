"""What a drain may do: which pods it evicts, which label takes the node out, who else announces."""
