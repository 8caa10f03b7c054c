"""What one definition is run with outside of any pipeline: functions, connections and extensions, from flags and from ``express.yaml``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from express import config
from express.functions import provided
from express.loading import functions_of
from express.options import Connection


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """``substitutions`` are those of the workflow of the configuration that has the definition, if there is one."""

    functions: Mapping[str, Any]
    connections: Mapping[str, Connection] = {}
    substitutions: Mapping[str, Any] = {}
    extensions: Sequence[str] = ()


def surroundings(definition: Path, configuration: Path | None, environment: Mapping[str, str], files: Sequence[Path]) -> Surroundings:
    """``files``: of functions that a flag has named. Of the configuration's workflows the first with this definition says which functions
    and which account of AWS it has. ConfigurationError with every problem of what Tasks call; pipelines are not looked at."""
    if configuration is None:
        return Surroundings(functions=functions_of(files))
    loaded = config.load(configuration, environment)
    config.validate_tasks(loaded)
    settings, directory = loaded.settings, loaded.directory
    there = definition.resolve()
    own = (each for each in settings.workflows.values() if (directory / each.definition).resolve() == there)
    workflow = next(own, config.Workflow(definition=""))
    known = [directory / file for file in workflow.functions]
    return Surroundings(
        functions=provided([*known, *files], settings.functions, directory, config.reachable(loaded, None)),
        connections=config.connections_of(loaded, workflow),
        substitutions=workflow.substitutions,
        extensions=settings.extensions,
    )
