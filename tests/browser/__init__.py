"""Tests that look at the UI through Chromium, as an analyst does."""
