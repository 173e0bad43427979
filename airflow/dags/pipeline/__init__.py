"""What the DAGs of the pipeline share: assets, connections, defaults and notices."""
