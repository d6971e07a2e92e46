"""What makes the pages, pictures and tables of the documentation; the program needs none of it."""
