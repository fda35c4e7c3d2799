"""Other systems on the same pictures: gray inputs for them, the same figures for their outputs."""
