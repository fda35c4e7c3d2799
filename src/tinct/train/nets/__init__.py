"""Parts of networks and losses that several families share."""
