"""L10: a whole setup that stays, in network namespaces of this machine: `drctl lab up`.

`design` says what is to be there (pure), `state` remembers what was begun, `build` makes or repairs
it, `teardown` takes it away, `watch` asks who has the VIPs, `scenario` breaks something, `play`
shows what comes of it, `show` has the words.
"""
