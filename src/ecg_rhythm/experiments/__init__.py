"""Jobs and runs: queued, trained, summarised, published."""
