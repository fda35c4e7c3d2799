"""Everything over many pictures."""
