"""A backfill records and stores what a run of one build alone does."""

import pytest

from vidassets_tests.assets.spatter.conftest import Learned

ASSETS = "spatter_crops,spatter_predictions,spatter_verdict,spatter_drift"
STORED = {
    "spatter_crops": "h5",
    "spatter_events": "parquet",
    "spatter_frame_log_csv": "csv",
    "spatter_predictions": "parquet",
    "spatter_verdict": "parquet",
    "spatter_layers": "parquet",
    "spatter_drift": "parquet",
}
Recorded = dict[str, tuple[bytes, dict[str, str], str]]


@pytest.fixture(scope="module")
def both(learned: Learned) -> dict[str, Recorded]:
    """Each artifact's bytes, lineage and run: of the build `gray`, made in a batch of two and alone."""
    builds, found = learned.builds, dict[str, Recorded]()
    for name, clips in {"batch": ("cut", "gray"), "alone": "gray"}.items():
        assert builds.launch(ASSETS, clips).is_success
        found[name] = {}
        for asset, extension in STORED.items():
            made = builds.made(asset, "gray")
            assert made is not None
            lineage = {tag: value for tag, value in made.tags.items() if "event_pointer" not in tag}
            found[name][asset] = builds.blob(asset, extension, "gray"), lineage, made.run_id
    return found


@pytest.mark.parametrize("asset", STORED)
def test_a_batch_stores_and_records_what_one_build_alone_does(both: dict[str, Recorded], asset: str):
    (content, lineage, run), (content_alone, lineage_alone, run_alone) = both["batch"][asset], both["alone"][asset]
    assert run != run_alone
    assert content == content_alone
    assert lineage == lineage_alone


def test_the_check_for_drift_is_recorded_for_each_build(learned: Learned, both: dict[str, Recorded]):
    import dagster as dg

    key = dg.AssetCheckKey(dg.AssetKey("spatter_drift"), "like_the_training_data")
    [record] = learned.builds.instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
    assert record.event is not None
    evaluation = record.event.asset_check_evaluation
    assert evaluation is not None
    assert (evaluation.partition, evaluation.severity) == ("gray", dg.AssetCheckSeverity.WARN)
    assert evaluation.passed is (learned.builds.table("spatter_drift", "gray")["likeness"].item() == "like")
