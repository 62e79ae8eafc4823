"""One script per revision, in order; a published one is never edited."""
