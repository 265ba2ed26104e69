"""Many cases: found, shared out to processes or a cluster, resumed, and summed up in one table."""
