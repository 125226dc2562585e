"""What a hook learns of its request, and may say about its answer, when it takes one more argument.

    def predict_fn(data, model, context):
        context.custom_attributes           the caller's, as given
        context.response_custom_attributes  "..." goes back to the caller

The other names are those of SageMaker's inference toolkit, so that scripts written for it run unchanged.
"""


class Context:
    def __init__(self, model_dir, request=None, content_type="", accept=""):
        self.model_dir = model_dir
        self.content_type = content_type
        self.accept = accept
        self.custom_attributes = request.custom_attributes if request else ""
        self.inference_id = request.inference_id if request else ""
        self.request_id = "%016x" % request.request_id if request else ""
        self.response_content_type = ""
        self.response_custom_attributes = ""

    # ---- the toolkit's names ----

    @property
    def system_properties(self):
        return {"model_dir": self.model_dir, "gpu_id": None, "batch_size": 1}

    @property
    def request_processor(self):
        return [self]

    def get_request_header(self, *args):
        """(name), or (index, name) as in the toolkit."""
        name = str(args[-1]).lower()
        return {
            "content-type": self.content_type,
            "accept": self.accept,
            "x-amzn-sagemaker-custom-attributes": self.custom_attributes,
            "x-amzn-sagemaker-inference-id": self.inference_id,
        }.get(name)

    def get_request_id(self, *args):
        return self.request_id

    def get_request_properties(self):
        return {name: self.get_request_header(name) for name in ("Content-Type", "Accept", "X-Amzn-SageMaker-Custom-Attributes")}

    def set_response_content_type(self, *args):
        self.response_content_type = args[-1]

    def set_response_header(self, *args):
        key, value = args[-2:]
        if str(key).lower() == "x-amzn-sagemaker-custom-attributes":
            self.response_custom_attributes = value
        elif str(key).lower() == "content-type":
            self.response_content_type = value
