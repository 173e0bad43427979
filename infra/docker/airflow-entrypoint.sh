#!/bin/sh
# Spark's jars, by name, as the DAGs expect them; then the component itself.
set -eu
CRYPTOBOT_SPARK_JARS=$(find /opt/cryptobot/jars/mongo-spark-connector_* -name '*.jar' | sort | paste -sd, -)
export CRYPTOBOT_SPARK_JARS
exec "$@"
