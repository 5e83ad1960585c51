"""The words and the rules: frozen data and pure functions. No I/O, no Airflow, no clock."""
