"""The Python half of an instance: a model's own code, behind the same frames as the built-in runner.

Follow one request:

    __main__   which mode
    zygote     imports the libraries once, then forks an instance for each start
    instance   one life: LOAD, any number of INVOKE, end of file
    link       whole frames from and to the worker host            messages, wire: what is in them
    handler    what the four hooks mean, theirs or ours            script: theirs    model_files: a model without a script
    content    bodies to arrays, predictions to bodies             failures: what the caller reads when it goes wrong

Nothing here is imported from outside the standard library unless the model or its body needs it: the zygote imports what its
operator listed, and what is not there is missed only by the model that uses it.
"""
