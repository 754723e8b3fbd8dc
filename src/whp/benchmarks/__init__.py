"""What the program costs: works that are timed, beside other programs and the limits of the machine.

Every module here that has a ``WORK`` is found by ``whp bench``; :mod:`whp.benchmarks.harness` has what they
share. Scripts of ``peer/`` run in an environment of their own, with neural-tangents.
"""
