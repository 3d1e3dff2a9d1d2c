"""The demo: one real order insured, one real outage survived, one real risk question answered.

Everything is a process of its own on loopback: the alarm sink, three simulated insurers, the server, the Flink job. The
server is driven through the Python client alone.
"""
