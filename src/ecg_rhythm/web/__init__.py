"""The classifier as a web service and one page; needs the extra `web`.

`app.py` has routes and headers, `service.py` takes requests in, `worker.py` is what worker processes do, `openapi.py`
documents the interface, `page/` is what a browser gets.
"""
