"""The same model by boto3, call by call as the SageMaker Python SDK deploys an SKLearnModel: model and source archive in a bucket, the
environment says what to run. Keys and URL come from the environment:

    eval "$(pilotlight credentials --export)"; python3 deploy/sample/cancer/sklearn_model.py /tmp/cancer
"""
import io
import os
import pathlib
import sys
import tarfile

import boto3

CODE = pathlib.Path(__file__).parent / "code"
URL = os.environ.get("PILOTLIGHT_URL", "http://127.0.0.1:8080")
s3, sagemaker, runtime = (boto3.client(service, endpoint_url=URL, region_name="us-east-1") for service in ("s3", "sagemaker", "sagemaker-runtime"))

s3.create_bucket(Bucket="models")
s3.upload_file(os.path.join(sys.argv[1], "model.tar.gz"), "models", "cancer/model.tar.gz")
source = io.BytesIO()
with tarfile.open(fileobj=source, mode="w:gz") as archive:
    archive.add(CODE / "inference.py", "inference.py")
s3.put_object(Bucket="models", Key="cancer/sourcedir.tar.gz", Body=source.getvalue())

sagemaker.create_model(ModelName="tumours", ExecutionRoleArn="arn:aws:iam::000000000000:role/pilotlight", PrimaryContainer={
    "Image": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3",
    "ModelDataUrl": "s3://models/cancer/model.tar.gz",
    "Environment": {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "s3://models/cancer/sourcedir.tar.gz"}})
sagemaker.create_endpoint_config(EndpointConfigName="tumours", ProductionVariants=[
    {"VariantName": "AllTraffic", "ModelName": "tumours", "InitialVariantWeight": 1,
     "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5}}])
sagemaker.create_endpoint(EndpointName="tumours", EndpointConfigName="tumours")
sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="tumours", WaiterConfig={"Delay": 1})

row = ("17.99,10.38,122.8,1001,0.1184,0.2776,0.3001,0.1471,0.2419,0.07871,1.095,0.9053,8.589,153.4,0.006399,0.04904,0.05373,0.01587,"
       "0.03003,0.006193,25.38,17.33,184.6,2019,0.1622,0.6656,0.7119,0.2654,0.4601,0.1189")
print(runtime.invoke_endpoint(EndpointName="tumours", ContentType="text/csv", Body=row)["Body"].read().decode())
