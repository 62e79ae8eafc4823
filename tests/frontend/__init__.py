"""Tests of the page that `islandflow serve` hands to browsers, and of its committed build."""
