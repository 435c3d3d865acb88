"""Ratios against the alternatives, measured in one run: `nox -s bench`.

`nox -s bench -- per_call scale` runs two of the subjects. Without nox, with the package installed:

    PYTHONPATH=tests python -P -m benchmarks per_call scale
"""
