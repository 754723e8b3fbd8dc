"""The published schema, and that it refuses what is broken."""

import copy
import json

import jsonschema
import pytest

from whp.report import verdict_schema


@pytest.fixture(scope="module")
def validator():
    schema = verdict_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_every_record_is_valid(records, validator):
    for record in records:
        validator.validate(json.loads(json.dumps(record, allow_nan=False)))


def test_schema_names_exactly_the_fields_of_a_record(records):
    schema = verdict_schema()
    assert set(schema["properties"]) == {*schema["required"], "guarantee", "plots"} == set(records[0])
    cell = schema["$defs"]["cell"]
    assert set(cell["properties"]) == {*cell["required"], "guarantee"} == set(records[0]["cells"][0])


def test_older_records_without_a_guarantee_are_valid(older, validator):
    for record in older:
        validator.validate(json.loads(json.dumps(record, allow_nan=False)))


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("verdict",), "MAYBE"),
        (("regime",), None),
        (("estimate",), "nan"),
        (("interval",), {"low": 0.0}),
        (("interval", "high"), "Infinity"),
        (("false_fail",), 1.5),
        (("trials",), -1),
        (("printed",), "yes"),
        (("twins", "exponent"), "refuted"),
        (("cells", 0, "verdict"), "pass"),
        (("cells", 0, "figure"), []),
        (("guarantee",), "certain"),
        (("cells", 0, "guarantee"), None),
        (("schema",), 2),
        (("id",), "../x"),
    ],
)
def test_a_broken_record_is_refused(records, validator, path, wrong):
    record = copy.deepcopy(records[0])
    target = record
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = wrong
    assert not validator.is_valid(record)


def test_a_missing_field_is_refused(records, validator):
    for key in verdict_schema()["required"]:
        record = {k: v for k, v in records[0].items() if k != key}
        assert not validator.is_valid(record), key
