# One service of the product: its dependency groups, its code, no compiler, no secret, no root.
#   docker build -f infra/docker/service.Dockerfile --build-arg GROUPS="api learning" .
FROM python:3.11-slim-bookworm AS build
RUN pip install --no-cache-dir uv==0.13.9
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /app
ARG GROUPS
COPY pyproject.toml uv.lock README.md ./
RUN uv sync --frozen --no-default-groups --no-install-project $(printf -- '--group %s ' $GROUPS)
COPY cryptobot cryptobot
COPY api api
COPY dashboard dashboard
COPY expectations expectations
COPY infra infra
COPY spark_jobs spark_jobs
COPY streaming streaming
COPY benchmarks benchmarks
RUN uv sync --frozen --no-default-groups $(printf -- '--group %s ' $GROUPS)

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --create-home cryptobot \
    && install -d -o cryptobot -g cryptobot /var/lib/cryptobot/data_docs
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1
USER cryptobot
