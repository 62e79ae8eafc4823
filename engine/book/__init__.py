"""Order books from market-by-order events: apply, check, read levels."""
