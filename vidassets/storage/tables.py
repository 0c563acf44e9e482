"""Tables as Parquet, checked against their schema; pictures are stored in small row groups."""

import json
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl

from vidassets.errors import ArtifactDamaged, SchemaViolation

Schema = type[dy.Schema]

# A picture has about 100 KB, so a row group of 32 is a few MB: a viewer fetches it in one read.
IMAGE_ROW_GROUP_ROWS = 32
IMAGE_DTYPE = pl.Struct({"bytes": pl.Binary, "path": pl.String})


def check_table(table: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """Return the table with its columns in the schema's order; nothing is cast.

    Raises:
        SchemaViolation: names the table, the columns, the broken rules and how many rows break each.
    """
    if unexpected := [column for column in table.columns if column not in schema.column_names()]:
        raise SchemaViolation(f"{schema.__name__}: columns {unexpected} are not declared. Declare or drop them.")
    _check_columns(table.schema, schema.column_names(), schema, SchemaViolation, "Build the table with these types.")
    _, failure = schema.filter(table)
    if broken := failure.counts():
        rules = "; ".join(
            f"{rule.replace('|', ': ')} ({count} of {table.height} rows)" for rule, count in broken.items()
        )
        raise SchemaViolation(
            f"{schema.__name__}: {rules}. The first such row: {_row(failure.invalid())}. "
            "Fix the function that returns the table, or the schema."
        )
    return table.select(schema.column_names())


def check_foreign_key(
    table: pl.DataFrame, parent: pl.DataFrame, columns: list[str], *, name: str, parent_name: str
) -> None:
    """Check that every row's ``columns`` match a row of ``parent``.

    Raises:
        SchemaViolation: names both tables, how many rows have no match, and the first of them.
    """
    orphans = table.select(columns).unique(maintain_order=True).join(parent, on=columns, how="anti", nulls_equal=True)
    if orphans.height:
        raise SchemaViolation(
            f"{name}: {orphans.height} of its {columns} are not in {parent_name}, the first {orphans.row(0)}. "
            f"{name} was computed from another version of {parent_name}: compute it again."
        )


def write_parquet(table: pl.DataFrame, path: Path) -> None:
    """Write a Parquet file and verify its number of rows. Hugging Face `datasets` opens tables of pictures.

    An empty table has no row group. Among files with rows, `datasets` skips such a file, but fails on a row group
    without rows. It refuses a data set that has no rows in any file, whatever its files are like.

    Raises:
        ArtifactDamaged: the file has another number of rows than the table.
    """
    if IMAGE_DTYPE in table.schema.values():
        _write_images(table, path)
    else:
        table.write_parquet(path)
    rows = pl.scan_parquet(path).select(pl.len()).collect().item()
    if rows != table.height:
        raise ArtifactDamaged(f"{path}: {rows} of {table.height} rows were written. Check the disk and run again.")


def _write_images(table: pl.DataFrame, path: Path) -> None:
    # `datasets` recognises an Image column by the metadata and the 32-bit offsets of its Arrow schema. pyarrow writes
    # both, polars neither. Written slice by slice, since 32-bit offsets end at 2 GB.
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = table.clear().to_arrow().schema
    images = [name for name, dtype in table.schema.items() if dtype == IMAGE_DTYPE]
    for name in images:
        image = pa.field(name, pa.struct({"bytes": pa.binary(), "path": pa.string()}))
        schema = schema.set(schema.get_field_index(name), image)
    features = {"info": {"features": {name: {"_type": "Image"} for name in images}}}
    schema = schema.with_metadata({"huggingface": json.dumps(features)})
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for rows in table.iter_slices(IMAGE_ROW_GROUP_ROWS):
            writer.write_table(rows.to_arrow().cast(schema))


def read_parquet(path: Path, uri: str, schema: Schema | None, columns: list[str] | None) -> pl.DataFrame:
    """Return the table, or some of its columns, checked to have the types that the schema declares.

    Raises:
        ArtifactDamaged: the file is not Parquet, incomplete, or of another version of the schema.
    """
    fix = "Compute it again: `vidassets run --force`, or materialise it in the UI."
    try:
        found = pl.read_parquet_schema(path)
        wanted = columns or (schema.column_names() if schema else list(found))
        if schema:
            _check_columns(found, wanted, schema, ArtifactDamaged, fix, where=f"{uri}: ")
        return pl.read_parquet(path, columns=wanted)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ArtifactDamaged(f"{uri}: cannot be read as Parquet ({error}). {fix}") from error


def _check_columns(
    found: Any, wanted: list[str], schema: Schema, error: type[Exception], fix: str, where: str = ""
) -> None:
    wrong = []
    for name in wanted:
        declared = schema.columns()[name]
        if name not in found:
            wrong.append(f"{name} is missing")
        elif not declared.validate_dtype(found[name]):
            wrong.append(f"{name} is {found[name]}, not {declared.dtype}")
    if wrong:
        raise error(f"{where}{schema.__name__}: {'; '.join(wrong)}. {fix}")


def _row(table: pl.DataFrame) -> dict[str, Any]:
    return table.select(pl.exclude(pl.Binary, IMAGE_DTYPE)).row(0, named=True)
