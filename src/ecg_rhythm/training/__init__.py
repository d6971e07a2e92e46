"""A model file and a labelled set -> a trained network."""
