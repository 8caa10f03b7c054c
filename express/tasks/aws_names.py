"""How Step Functions calls AWS's services, operations, fields and errors: as Java's SDK does. No model is needed for any of it."""

from __future__ import annotations

import re
from functools import cache

# Where botocore's folder has another name than the service has in Java's SDK without its dashes
FOLDERS = {
    "applicationdiscovery": "discovery", "applicationdiscoveryservice": "discovery", "costandusagereport": "cur",
    "databasemigration": "dms", "directory": "ds", "elasticsearch": "es", "lexmodelbuilding": "lex-models",
    "marketplaceentitlement": "marketplace-entitlement", "serverlessapplicationrepository": "serverlessrepo",
    "cloudwatchlogs": "logs", "cognitoidentityprovider": "cognito-idp",
    "configservice": "config", "costandusagereportservice": "cur", "costexplorer": "ce", "databasemigrationservice": "dms",
    "directoryservice": "ds", "directoryservicedata": "ds-data", "elasticloadbalancing": "elb", "elasticloadbalancingv2": "elbv2",
    "elasticmapreduce": "emr", "elasticsearchservice": "es", "eventbridge": "events", "iotdataplane": "iot-data",
    "iotjobsdataplane": "iot-jobs-data", "lexmodelbuildingservice": "lex-models", "lexmodelsv2": "lexv2-models",
    "lexruntimeservice": "lex-runtime", "lexruntimev2": "lexv2-runtime", "marketplaceentitlementservice": "marketplace-entitlement",
    "marketplacemetering": "meteringmarketplace", "migrationhub": "mgh", "pinpointsmsvoice": "sms-voice",
    "sfn": "stepfunctions", "simpledb": "sdb", "states": "stepfunctions",
}  # fmt: skip

# Where Java's SDK sees words in a name: executionArn, DBInstance, MD5OfBody, S3Key
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z][a-zA-Z0-9])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[0-9])(?=[a-zA-Z])|[^A-Za-z0-9]+")


# Java's SDK makes small what a field begins with, up to its last capital letter
_BEGINNING = re.compile(r"[A-Z]+(?![a-z])|[A-Z](?=[a-z])")


@cache
def named(name: str) -> str:
    """An API's field as ``aws-sdk`` integrations name it: ``executionArn`` is ExecutionArn, ``DBInstances`` DbInstances, ``ChecksumCRC32``
    as it is."""
    if not name.isalnum():
        return pascal(name)
    found = _BEGINNING.match(name)
    return name[:1].upper() + (found[0][1:].lower() + name[found.end() :] if found else name[1:])


@cache
def pascal(name: str) -> str:
    """Every word with one capital letter: ``DB instance`` is DbInstance."""
    return "".join(word.capitalize() for word in _WORDS.split(name))


@cache
def capital(name: str) -> str:
    """An API's field as the older, optimised integrations name it: ``executionArn`` is ExecutionArn, ``MD5OfMessageBody`` as it is."""
    return name[:1].upper() + name[1:]


def action(operation: str) -> str:
    """An operation as a resource names it: ``DescribeDBInstances`` is describeDBInstances."""
    return operation[:1].lower() + operation[1:]


def prefix(service_id: str) -> str:
    """What errors of ``aws-sdk`` begin with: ``Secrets Manager`` is SecretsManager, ``DynamoDB`` DynamoDb, ``SFN`` Sfn."""
    name = pascal(service_id)
    for first in ("Amazon", "Aws"):
        name = name.removeprefix(first) or name
    return name.removesuffix("Service") or name


def exception(shape: str, *, old: bool = False) -> str:
    """A modelled error's exception: ``NoSuchBucket`` is NoSuchBucketException, ``ClusterNotFoundFault`` ClusterNotFoundException."""
    name = (capital if old else pascal)(shape)
    if name.endswith("Exception"):
        return name
    return f"{name.removesuffix('Fault')}Exception"
