"""L9: a pair of directors that runs on this machine, each in a network namespace of its own.

`host` makes namespaces at a switch, `director` runs `drctl run` in one, `client` asks who has the
VIP, `stage` puts all together and breaks it, `timeline` draws what the client saw, `scenario` is
what a demonstration plays and promises.
"""
