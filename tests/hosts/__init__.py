"""The library in the servers that people run: each is started as its users start it.

`make test-hosts` installs them. A server that is not installed is skipped, and the test says so.
"""
