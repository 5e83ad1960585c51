# One image for every part of a Belay deployment; docker-compose.yml says which part a container plays.
# In production, pin PYTHON_IMAGE by digest: --build-arg PYTHON_IMAGE=python@sha256:...
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm

# --- What is installed: the lock, hash by hash, from wheels alone (nothing is compiled).
FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /opt/venv
COPY requirements.txt ./
RUN /opt/venv/bin/pip install --no-deps --require-hashes --only-binary :all: -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY include ./include
RUN /opt/venv/bin/pip install --no-deps --no-build-isolation . \
    && /opt/venv/bin/pip uninstall --yes setuptools pip

# --- What runs: Python, the installed packages, the DAGs and the policies. No pip, no compiler, no secrets.
FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="Belay" \
      org.opencontainers.image.description="Lets AI optimise a product on a rope: every change gated, measured, approved and remembered." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"

# Any user of group 0 can run it (what a platform with random user ids needs); USER is for Python's getpass.
RUN python -m pip uninstall --yes --root-user-action ignore setuptools wheel pip \
    && useradd --uid 50000 --gid 0 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin belay \
    && mkdir -p /opt/belay /var/lib/belay/home /var/lib/belay/logs /var/lib/belay/auth \
    && chmod -R g=u /var/lib/belay
COPY --from=build /opt/venv /opt/venv
COPY dags /opt/belay/dags
COPY plugins /opt/belay/plugins
COPY expectations /opt/belay/expectations
COPY include/capabilities /opt/belay/capabilities

ENV PATH=/opt/venv/bin:$PATH \
    USER=belay \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    AIRFLOW_HOME=/tmp/airflow \
    AIRFLOW__CORE__LOAD_EXAMPLES=False \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/belay/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/belay/plugins \
    AIRFLOW__LOGGING__BASE_LOG_FOLDER=/var/lib/belay/logs \
    BELAY_HOME=/var/lib/belay/home \
    BELAY_POLICIES=/opt/belay/capabilities \
    BELAY_EXPECTATIONS=/opt/belay/expectations \
    GX_ANALYTICS_ENABLED=false
WORKDIR /var/lib/belay/home
USER 50000:0
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=10s --start-period=90s --retries=5 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/api/v2/monitor/health', timeout=8)"]
CMD ["airflow", "api-server"]
