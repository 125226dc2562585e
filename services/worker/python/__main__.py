"""python3 -I -B FOLDER MODE: what the worker host runs.

    serve             one instance, not locked in: loads a model and answers requests on the socket that is descriptor 3
    zygote LIBRARY [MODULE...]
                      imports the modules, then makes instances as the worker host asks by descriptor 3
    check [MODULE...] imports what a zygote would, and prints what is here and what is missing
"""

import os
import sys

# Read by OpenMP and BLAS when they are loaded: one request at a time, one thread for it.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
    os.environ[_name] = "1"

HOST_FD = 3


def _serve(args):
    from pilotlight_runtime import instance

    instance.live(instance.blank(HOST_FD))


def _zygote(args):
    from pilotlight_runtime import zygote

    zygote.serve(args[0], args[1:])


def _check(args):
    from pilotlight_runtime import preload

    print(preload.preload(args))


_MODES = {"serve": _serve, "zygote": _zygote, "check": _check}


def main(argv):
    if len(argv) < 2 or argv[1] not in _MODES:
        sys.stderr.write(__doc__)
        return 2
    sys.dont_write_bytecode = True
    # The model's code may import 'pilotlight', and stand-ins for SageMaker's own packages where those are not installed.
    from pilotlight_runtime import standins

    standins.install(os.path.join(os.path.dirname(os.path.abspath(__file__)), "compat"))
    return _MODES[argv[1]](argv[2:])


sys.exit(main(sys.argv))
