"""The manual: how its pages are made, and tests of what they say."""
