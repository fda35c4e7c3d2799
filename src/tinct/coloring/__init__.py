"""Between model and picture: arrays in, arrays out, no files."""
