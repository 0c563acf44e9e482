"""Tables as Parquet: checked against their schema, laid out so that pictures stay small to read."""

import json
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl

from vidassets.errors import ArtifactDamaged, SchemaViolation

Schema = type[dy.Schema]

# A picture is some 100 KB: 32 of them are a row group that a viewer fetches in one read of a few MB.
IMAGE_ROW_GROUP_ROWS = 32
IMAGE_DTYPE = pl.Struct({"bytes": pl.Binary, "path": pl.String})


def check_table(table: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """The table with its columns in the schema's order; nothing is cast.

    Raises:
        SchemaViolation: names table, columns, broken rules and how many rows break each.
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
            "Mend the function that returns the table, or its declaration in schemas.py."
        )
    return table.select(schema.column_names())


def check_foreign_key(
    table: pl.DataFrame, parent: pl.DataFrame, columns: list[str], *, name: str, parent_name: str
) -> None:
    """Nothing, when every row's ``columns`` are those of a row of ``parent``.

    Raises:
        SchemaViolation: names both tables, how many rows point nowhere, and the first of them.
    """
    orphans = table.select(columns).unique(maintain_order=True).join(parent, on=columns, how="anti", nulls_equal=True)
    if orphans.height:
        raise SchemaViolation(
            f"{name}: {orphans.height} of its {columns} are not in {parent_name}, the first {orphans.row(0)}. "
            f"It was made from another version of {parent_name}: make it again."
        )


def write_parquet(table: pl.DataFrame, path: Path) -> None:
    """A Parquet file, read back as far as its footer; tables of pictures open in Hugging Face `datasets`.

    Raises:
        ArtifactDamaged: the file does not hold as many rows as the table.
    """
    if IMAGE_DTYPE in table.schema.values():
        _write_images(table, path)
    else:
        table.write_parquet(path)
    rows = pl.scan_parquet(path).select(pl.len()).collect().item()
    if rows != table.height:
        raise ArtifactDamaged(f"{path}: {rows} of {table.height} rows arrived on the disk. Check it, and run again.")


def _write_images(table: pl.DataFrame, path: Path) -> None:
    # `datasets` takes a column for an Image by the metadata and the 32-bit offsets of its Arrow schema: polars
    # writes neither, pyarrow does. Slice by slice, since such offsets end at 2 GB.
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
    """The table, or some of its columns, of the types that the schema declares.

    Raises:
        ArtifactDamaged: the file is not Parquet, cut, or of another version of the schema.
    """
    mend = "Make it again: `vidassets run --force`, or materialise it in the UI."
    try:
        found = pl.read_parquet_schema(path)
        wanted = columns or (schema.column_names() if schema else list(found))
        if schema:
            _check_columns(found, wanted, schema, ArtifactDamaged, mend, where=f"{uri}: ")
        return pl.read_parquet(path, columns=wanted)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ArtifactDamaged(f"{uri}: does not read as Parquet ({error}). {mend}") from error


def _check_columns(
    found: Any, wanted: list[str], schema: Schema, error: type[Exception], mend: str, where: str = ""
) -> None:
    wrong = []
    for name in wanted:
        declared = schema.columns()[name]
        if name not in found:
            wrong.append(f"{name} is missing")
        elif not declared.validate_dtype(found[name]):
            wrong.append(f"{name} is {found[name]}, not {declared.dtype}")
    if wrong:
        raise error(f"{where}{schema.__name__}: {'; '.join(wrong)}. {mend}")


def _row(table: pl.DataFrame) -> dict[str, Any]:
    return table.select(pl.exclude(pl.Binary, IMAGE_DTYPE)).row(0, named=True)
