"""A study's trials as files: Parquet (units in the schema), CSV and JSON. A file is written whole or not at all."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from designgym.core.errors import UnknownNameError
from designgym.core.files import written_whole
from designgym.studies.records import dumps

if TYPE_CHECKING:
    import pyarrow

    from designgym.studies.results import StudyResult

FORMATS = (".parquet", ".csv", ".json")
DOING = "export to"
UNIT_KEY = b"unit"
DEFINITION_KEY = b"designgym.definition"


def write_file(result: StudyResult, path: Path) -> Path:
    """Write the trials in the format that the extension names.

    Raises:
        UnknownNameError: For another extension than ``.parquet``, ``.csv`` and ``.json``.
        InputError: If the path cannot be a file.
        DesignGymError: If it cannot be written.
    """
    check_format(path)
    return {".parquet": write_parquet, ".csv": write_csv, ".json": write_json}[path.suffix.lower()](result, path)


def check_format(path: Path) -> None:
    """Raise `UnknownNameError` for an extension that names no format."""
    if path.suffix.lower() not in FORMATS:
        raise UnknownNameError("export format", path.suffix or str(path), FORMATS, "(the file's extension says the format)")


def write_parquet(result: StudyResult, path: Path) -> Path:
    """Write Parquet: structured parameters as nested columns, each column's unit under ``b"unit"`` in its field's metadata.

    The study's definition is in the schema's metadata, under ``b"designgym.definition"``.
    """
    import pyarrow.parquet

    table = to_arrow(result)
    with written_whole(path, DOING) as temporary:
        pyarrow.parquet.write_table(table, temporary)
    return path


def to_arrow(result: StudyResult) -> pyarrow.Table:
    """Return the trials as an Arrow table; see `write_parquet`."""
    import pyarrow as pa

    frame, units = result.frame, result.frame.attrs["units"]
    kinds = {f"design.{name}": _arrow_type(data) for name, data in result.definition["space"]["parameters"].items()}
    texts = {name for name in frame.columns if frame[name].dtype == object or str(frame[name].dtype).startswith("str")}
    fields, arrays = [], []
    for name in frame.columns:
        values = frame[name].tolist()
        kind = kinds.get(name) or (pa.string() if name in texts else None)
        if name in kinds and kind == pa.string():
            values = [value if isinstance(value, str) or value is None else dumps(value) for value in values]
        array = pa.array([None if isinstance(v, float) and math.isnan(v) else v for v in values], type=kind)
        metadata = {UNIT_KEY: units[name].encode()} if name in units else None
        fields.append(pa.field(name, array.type, metadata=metadata))
        arrays.append(array)
    return pa.table(arrays, schema=pa.schema(fields, metadata={DEFINITION_KEY: dumps(result.definition).encode()}))


def write_csv(result: StudyResult, path: Path) -> Path:
    """Write CSV under the column names of the frame; structured parameters are JSON."""
    frame = result.to_pandas()
    for name in frame.columns:
        if any(isinstance(value, list | dict) for value in frame[name]):
            frame[name] = [dumps(value) for value in frame[name]]
    with written_whole(path, DOING) as temporary:
        frame.to_csv(temporary, index=False)
    return path


def write_json(result: StudyResult, path: Path) -> Path:
    """Write one JSON object: study, definition, units, runs and trials; what is not a finite number is null."""
    data = {
        "study": result.name, "definition": result.definition, "units": result.frame.attrs["units"],
        "runs": [{"run": run.plan.run, "status": run.status, "stop_reason": run.stop_reason} for run in result.runs],
        "trials": [{name: finite(value) for name, value in row.items()} for row in result.frame.to_dict("records")],
    }  # fmt: skip
    with written_whole(path, DOING) as temporary:
        temporary.write_text(json.dumps(data, allow_nan=False, indent=1))
    return path


def finite(value: Any) -> Any:
    """Return a value for JSON: None for what is not a finite number."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _arrow_type(parameter: Mapping[str, Any]) -> pyarrow.DataType:
    """Return the Arrow type of a parameter's values; choices of mixed types are text."""
    import pyarrow as pa

    def of_choices(choices: list[Any]) -> pyarrow.DataType:
        kinds = {type(choice) for choice in choices}
        plain = {bool: pa.bool_(), int: pa.int64(), float: pa.float64()}
        return plain.get(kinds.pop(), pa.string()) if len(kinds) == 1 else pa.string()

    match parameter["kind"]:
        case "integer" | "power_of_two":
            return pa.int64()
        case "float":
            return pa.float64()
        case "permutation":
            return pa.list_(of_choices(parameter["items"]))
        case "repeated":
            inner = parameter["space"]["parameters"]
            return pa.list_(pa.struct([pa.field(name, _arrow_type(data)) for name, data in inner.items()]))
        case _:
            return of_choices(parameter["choices"])
