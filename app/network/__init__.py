"""The listening port and its connections, and the way to other machines: addresses and proxies."""
