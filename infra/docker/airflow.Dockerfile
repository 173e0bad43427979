# Airflow's components and the tasks they run: Java and Spark's jars beside the Python environment.
FROM python:3.11-slim-bookworm AS build
RUN pip install --no-cache-dir uv==0.13.9 \
    && apt-get update && apt-get install --yes --no-install-recommends openjdk-17-jre-headless
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /app
ARG GROUPS="airflow spark expectations learning streaming"
COPY pyproject.toml uv.lock README.md ./
RUN uv sync --frozen --no-default-groups --no-install-project $(printf -- '--group %s ' $GROUPS)
COPY infra infra
RUN CRYPTOBOT_CACHE_DIR=/opt/cryptobot PYTHONPATH=/app .venv/bin/python -m infra.local.jars
COPY cryptobot cryptobot
COPY api api
COPY dashboard dashboard
COPY expectations expectations
COPY spark_jobs spark_jobs
COPY streaming streaming
COPY benchmarks benchmarks
COPY airflow/dags airflow/dags
RUN uv sync --frozen --no-default-groups $(printf -- '--group %s ' $GROUPS)

FROM python:3.11-slim-bookworm
RUN apt-get update \
    && apt-get install --yes --no-install-recommends openjdk-17-jre-headless procps \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home cryptobot \
    && install -d -o cryptobot -g cryptobot /var/lib/cryptobot/airflow /var/lib/cryptobot/data_docs
COPY --from=build /app /app
COPY --from=build /opt/cryptobot/jars /opt/cryptobot/jars
WORKDIR /app
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONPATH=/app PYSPARK_PYTHON=/app/.venv/bin/python
USER cryptobot
ENTRYPOINT ["/app/infra/docker/airflow-entrypoint.sh"]
