"""The job of the bench, as Celery runs it: it says on standard output that it has begun."""

import os
import time

from celery import Celery

work = float(os.environ.get("WORK_MS", "0")) / 1000

app = Celery("noop", broker=os.environ["BROKER_URL"])
app.conf.update(
    task_serializer="json",
    accept_content=["json"],
    # As the others: acknowledged when it is done, and no result that nobody asks for.
    task_acks_late=True,
    task_ignore_result=True,
    worker_send_task_events=False,
    worker_prefetch_multiplier=int(os.environ.get("PREFETCH", "4")),
    broker_transport_options={"confirm_publish": True},
    broker_connection_retry_on_startup=True,
)


@app.task(name="noop")
def noop(n, at):
    os.write(1, b"%d %f\n" % (n, at))
    if work > 0:
        time.sleep(work)
