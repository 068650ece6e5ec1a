"""Fleet: replicas that serve requests, and which of them, if any, serves each.

fleet: Fleet, FleetOutage, CacheSizes, Transfer, Router
limits: Limits, RateLimiter, TokenBucket
prefix_cache: PrefixCache, Cached
dispatcher: Dispatcher, Dispatch
"""
