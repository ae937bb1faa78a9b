"""Holds instances against JSON schemas with the validator that editors' and CI's checks are made of.

Reads a list of {"name", "schema", "instance", "valid"} from standard input; fails where one is not as it says.
"""

import json
import sys

from jsonschema import Draft7Validator

failed = 0
for case in json.load(sys.stdin):
    Draft7Validator.check_schema(case["schema"])
    errors = [error.message for error in Draft7Validator(case["schema"]).iter_errors(case["instance"])]
    if (not errors) != case["valid"]:
        failed += 1
        print(f"{case['name']}: valid should be {case['valid']}: {errors}")
sys.exit(1 if failed else 0)
