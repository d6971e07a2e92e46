"""The classifier as a web service and one page; needs the extra `web`.

`app.py` has routes and headers, `service.py` takes requests in, `jobs.py` keeps what nobody waits for, `pool.py` has
worker processes, `worker.py` is what they do, `openapi.py` documents the interface, `review.py` lists recordings
for a person to label, `page/` is what a browser gets.
"""
