"""What `belay demo` and `belay up` run on a laptop: processes, an Airflow, the simulated shop."""
