"""`ServingValidator`: reference outputs of serving engines and simulators, recognised by what is in the file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from designgym.core.errors import InputError
from designgym.core.validation import TableComparison
from designgym.envs.serving_legality import LEGALITY_COLUMNS, compare_legality
from designgym.envs.serving_schedules import compare_schedules
from designgym.envs.serving_step_validation import STEP_COLUMNS, compare_step_table, is_step_table
from designgym.envs.serving_vidur import VIDUR_COLUMNS, compare_vidur_rows

FOLDER = "llm"  # in the folder of reference outputs
TABLES = ("vllm_v1_schedule_public.jsonl.gz", "vidur_public.csv", "vllm_legality_public.csv", "aic_vllm_step_latency.parquet")


class ServingValidator:
    """Compares the serving simulation with schedules and verdicts of vLLM, rows of Vidur, and step latencies (a `ReferenceValidator`)."""

    def tables(self, oracle: Path) -> list[Path]:
        """Return the public reference files that are in the folder."""
        return [oracle / FOLDER / name for name in TABLES if (oracle / FOLDER / name).is_file()]

    def compare(self, reference: Path, *, folders: Sequence[Path], oracle: Path | None) -> TableComparison:
        """Simulate everything that a reference file has and compare.

        Raises:
            InputError: If the file cannot be used, naming the line and the field or column.
        """
        from designgym.envs.reference_tables import read_table
        from designgym.simulators.serving.schedule_trace import is_schedule_file

        if is_schedule_file(reference):
            return compare_schedules(reference)
        if reference.suffix == ".parquet":
            return compare_step_table(reference)
        header, rows = read_table(reference)
        if "legal" in header:
            return compare_legality(reference, header, rows)
        if "scheduler" in header:
            places = [*folders, reference.parent, *([oracle / FOLDER, oracle] if oracle is not None else [])]
            return compare_vidur_rows(reference, header, rows, places)
        if is_step_table(header):
            return compare_step_table(reference)
        raise InputError(
            f"{reference} is not a kind of reference that is known here: expected JSON lines with config, requests and steps (recorded "
            f"schedules), or a table with the columns {', '.join(VIDUR_COLUMNS)}, ... (rows of Vidur), {', '.join(LEGALITY_COLUMNS)} "
            f"(verdicts of vLLM) or {', '.join(STEP_COLUMNS)} (step latencies)"
        )
