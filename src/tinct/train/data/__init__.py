"""Training data: folders and shards of pictures -> batches of squares, drawings and hints."""
