"""What was tried and what came of it; each module says what it measures."""
