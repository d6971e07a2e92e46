"""A model and ECG recordings -> answers."""
