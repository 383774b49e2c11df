"""L3: the one model. Frozen values without parsing or rendering; every value knows its origin."""
