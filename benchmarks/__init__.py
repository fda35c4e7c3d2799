"""Speed and memory of tinct, side by side with a floor measured in the same run."""
