"""Malformed and hostile input for the readers and the web service."""
