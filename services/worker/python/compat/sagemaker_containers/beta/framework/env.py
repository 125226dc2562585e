"""What a server knows of itself. Training has no environment here."""

import os


class ServingEnv:
    def __init__(self):
        self.model_dir = os.environ.get("SM_MODEL_DIR", "/opt/ml/model")
        self.module_dir = os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY", self.model_dir + "/code")
        self.user_entry_point = os.environ.get("SAGEMAKER_PROGRAM", "inference.py")
        self.module_name = self.user_entry_point[:-3] if self.user_entry_point.endswith(".py") else self.user_entry_point
        self.default_accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", "application/json")
        self.log_level = int(os.environ.get("SAGEMAKER_CONTAINER_LOG_LEVEL", "20"))
        self.current_host = os.environ.get("SM_CURRENT_HOST", "")
        self.num_cpus = len(os.sched_getaffinity(0))
        self.num_gpus = 0
