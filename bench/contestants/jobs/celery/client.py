"""Enqueues what it is told on standard input, one JSON text a line, and answers each line when that is done."""

import json
import sys

from noop import app, noop

with app.producer_pool.acquire(block=True) as producer:
    for line in sys.stdin:
        order = json.loads(line)
        if order == "purge":
            app.control.purge()
        else:
            for n, at in order:
                noop.apply_async((n, at), producer=producer)
        print("ok", flush=True)
