"""Run by mlflow's own interpreter: ``python mlflow_model.py FOREST FOLDER`` makes a forest a model of mlflow.

What is served is ``predict_proba``, as the product answers probabilities.
"""

import sys
from pathlib import Path

import joblib
import mlflow.sklearn

forest, folder = map(Path, sys.argv[1:])
mlflow.sklearn.save_model(
    joblib.load(forest),
    folder,
    serialization_format="cloudpickle",
    pyfunc_predict_fn="predict_proba",
    pip_requirements=[],
)
