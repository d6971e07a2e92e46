"""The classifier as a web service and one page; needs the extra `web`.

`app.py` is what speaks HTTP, `work.py` what its worker processes do, `page/` what a browser gets.
"""
