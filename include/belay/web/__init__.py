"""Belay's pages in Airflow's web server: the board, the review of a step, and the API for agents."""
