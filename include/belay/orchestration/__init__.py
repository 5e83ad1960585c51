"""Where Belay meets Airflow: operators, sensors, triggers, and the DAG of a rollout."""
