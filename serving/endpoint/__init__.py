"""Endpoint: a server for official clients, with the times of a simulated machine.

settings: what an endpoint is told
clock: simulated time against the clock on the wall
deployment: a model on its timetable, with its queue
rate_limits: leaky buckets of requests and tokens
fault_injection: refusals and cuts on purpose
metrics, request_log: what is told about requests
completion: a request from its body to its answer
watched_answer: an answer that is watched for a client that vanishes
application, server: the ASGI application, and the process that serves it
"""
