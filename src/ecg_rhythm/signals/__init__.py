"""Functions of arrays: windows, gaps, resampling, heartbeats, perturbations."""
