"""What several test files share: settings of hypothesis, small bundles without training."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("tinct", deadline=None, max_examples=25, derandomize=True)
settings.load_profile("tinct")
