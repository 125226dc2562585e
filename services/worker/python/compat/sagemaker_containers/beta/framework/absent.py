"""Modules that scripts import out of habit and do not use: what is used all the same says what it is that is not here."""


def attributes_of(module):
    def missing(name):
        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(
            "%s.%s belongs to SageMaker's server, which does not run here: hooks, content_types, encoders, errors and worker.Response are there"
            % (module, name)
        )

    return missing
