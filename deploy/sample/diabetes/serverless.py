"""The sample with boto3: nothing of it knows Pilotlight but the endpoint URL. Keys and URL come from the environment:

    eval "$(pilotlight credentials --export)"; python3 deploy/sample/diabetes/serverless.py
"""
import datetime
import os
import pathlib
import time

import boto3

HERE = pathlib.Path(__file__).parent
URL = os.environ.get("PILOTLIGHT_URL", "http://127.0.0.1:8080")
s3, sagemaker, runtime, cloudwatch = (boto3.client(service, endpoint_url=URL, region_name="us-east-1")
                                      for service in ("s3", "sagemaker", "sagemaker-runtime", "cloudwatch"))

# Deploy: an artifact, a model, a serverless config, an endpoint.
s3.create_bucket(Bucket="diabetes-models")
s3.upload_file(str(HERE / "model.tar.gz"), "diabetes-models", "1/model.tar.gz")
sagemaker.create_model(ModelName="progression", ExecutionRoleArn="arn:aws:iam::000000000000:role/pilotlight",
                       PrimaryContainer={"Image": "sagemaker-xgboost:1.7-1", "ModelDataUrl": "s3://diabetes-models/1/model.tar.gz"})
sagemaker.create_endpoint_config(EndpointConfigName="progression", ProductionVariants=[
    {"VariantName": "AllTraffic", "ModelName": "progression", "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 10}}])
sagemaker.create_endpoint(EndpointName="progression", EndpointConfigName="progression")
sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="progression", WaiterConfig={"Delay": 1})
print("endpoint", sagemaker.describe_endpoint(EndpointName="progression")["EndpointStatus"])

# Call: the first one starts an instance, the others find it.
for row in (HERE / "rows.csv").read_text().splitlines()[:3]:
    started = time.monotonic()
    answer = runtime.invoke_endpoint(EndpointName="progression", ContentType="text/csv", Body=row)
    print(f"predicts {answer['Body'].read().decode().strip()} in {1000 * (time.monotonic() - started):.1f} ms")

# Errors have the names that AWS gives them.
try:
    runtime.invoke_endpoint(EndpointName="progression", ContentType="text/csv", Body="59.0,female,32.1")
except runtime.exceptions.ModelError as error:
    print("ModelError", error.response["OriginalStatusCode"], error.response["OriginalMessage"])

# Look: CloudWatch has the calls of this hour within a second or two.
time.sleep(2)
now = datetime.datetime.utcnow()
statistics = cloudwatch.get_metric_statistics(
    Namespace="AWS/SageMaker", MetricName="Invocations",
    Dimensions=[{"Name": "EndpointName", "Value": "progression"}, {"Name": "VariantName", "Value": "AllTraffic"}],
    StartTime=now - datetime.timedelta(hours=1), EndTime=now + datetime.timedelta(minutes=1), Period=3660, Statistics=["Sum"])
print("invocations", sum(int(point["Sum"]) for point in statistics["Datapoints"]))

# Clean up.
sagemaker.delete_endpoint(EndpointName="progression")
sagemaker.get_waiter("endpoint_deleted").wait(EndpointName="progression", WaiterConfig={"Delay": 1})
sagemaker.delete_endpoint_config(EndpointConfigName="progression")
sagemaker.delete_model(ModelName="progression")
s3.delete_object(Bucket="diabetes-models", Key="1/model.tar.gz")
s3.delete_bucket(Bucket="diabetes-models")
