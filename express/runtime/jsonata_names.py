"""What compiled JSONata expressions may use, by the names they know it under."""

from __future__ import annotations

from typing import Any

from express.runtime import jsonata_functions as functions
from express.runtime import jsonata_of_aws
from express.runtime import jsonata_paths as paths
from express.runtime import jsonata_values as values
from express.runtime.jsonata import UNDEFINED

RUNTIME: dict[str, Any] = {"UNDEFINED": UNDEFINED} | {
    function.__name__: function
    for function in (
        values.or_undefined, values.truth, values.equals, values.differs, values.contained, values.less, values.at_most_as,
        values.more, values.at_least_as, values.plus, values.minus, values.times, values.divided, values.remainder, values.negated,
        values.joined, paths.field, paths.through, paths.member, paths.indexed, paths.where, paths.where_found, paths.field_at,
        paths.through_at, paths.field_where, paths.through_where, paths.unwrapped, paths.steps, paths.steps_through, paths.selected,
        paths.selected_through, paths.picked, paths.objects, paths.in_group, paths.kept, paths.field_kept, paths.listed, paths.members,
        paths.numbers, paths.mapped, paths.mapped_items, paths.filtered_items, paths.reduced, paths.filtered, functions.called,
        functions.sum_of, functions.average_of, functions.largest, functions.smallest, functions.how_many, functions.number_of,
        functions.absolute, functions.floor_of, functions.ceiling_of, functions.rounded, functions.string_of, functions.length_of,
        functions.upper, functions.lower, functions.trimmed, functions.part, functions.part_here, functions.before, functions.after,
        functions.contains, functions.pieces, functions.texts_joined, functions.padded, functions.url_component, functions.url,
        functions.boolean_of, functions.negation, functions.exists, functions.type_of, functions.appended, functions.keys_of,
        functions.looked_up, functions.merged, functions.turned, functions.milliseconds,
    )
}  # fmt: skip
RUNTIME |= {f"aws_{name}": function for name, function in jsonata_of_aws.FUNCTIONS.items()}
