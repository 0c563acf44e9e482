"""The tables of spatter: crops, labels, training, predictions, verdicts, types. Conventions: see `schemas/clips.py`."""

import dataframely as dy

from vidassets.schemas.clips import KEY_PATTERN, ClipTable


class SpatterPredictions(ClipTable):
    """The classifier's probability of high gas flow and its embedding, for every crop of a build."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    event_index = dy.Int32(primary_key=True, min=0, description="foreign key: SpatterEvents")
    probability = dy.Float32(
        nullable=True, min=0, max=1, description="of high gas flow: 0 is low, 1 is high; null if excluded"
    )
    excluded = dy.String(nullable=True, regex=r"^(undecodable|all black)$", description="why it was not scored")
    embedding = dy.List(dy.Float32(), nullable=True, description="penultimate layer; comparable only within one model")
    model = dy.String(regex=r"^[0-9a-f]{16}$", description="sha256 of the ONNX file, 16 hex digits")

    @dy.rule()
    def scored_or_excluded(cls):  # noqa: D102, N805
        return cls.probability.col.is_null() == cls.excluded.col.is_not_null()


class SpatterLayers(ClipTable):
    """The probability of high gas flow in every layer of a build that has a scored crop."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    layer = dy.Int32(primary_key=True, min=0)
    start_s = dy.Float64(description="pts of its first scored crop")
    end_s = dy.Float64(description="pts of its last scored crop")
    n_crops = dy.Int64(min=1)
    probability = dy.Float64(min=0, max=1, description="mean over the layer's crops")
    low = dy.Float64(min=0, max=1, description="lower end of the interval")
    high = dy.Float64(min=0, max=1, description="upper end of the interval")


class SpatterVerdicts(ClipTable):
    """Whether a build ran under low or high gas flow; one row per build."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    n_crops = dy.Int64(min=0, description="crops with a probability")
    n_excluded = dy.Int64(min=0)
    n_layers = dy.Int64(min=0)
    probability = dy.Float64(nullable=True, min=0, max=1, description="of high gas flow, mean over crops")
    low = dy.Float64(nullable=True, min=0, max=1, description="lower end of the interval")
    high = dy.Float64(nullable=True, min=0, max=1, description="upper end of the interval")
    interval = dy.String(
        nullable=True, regex=r"^(layer bootstrap|wilson)$", description="method by which it was computed"
    )
    verdict = dy.String(
        regex=r"^(low|high|undecided)$", description="undecided if the classifier does not know crops like these"
    )
    trusted = dy.Bool(description="whether the crops are like the training data; false is a warning, see `reason`")
    reason = dy.String(nullable=True, description="why the verdict is undecided or not trusted")

    @dy.rule()
    def distrust_has_a_reason(cls):  # noqa: D102, N805
        return cls.reason.col.is_not_null() | (cls.trusted.col & (cls.verdict.col != "undecided"))


class SpatterDrift(ClipTable):
    """How unlike the classifier's training data a build is; one row per build."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    n_crops = dy.Int64(min=0)
    stability_index = dy.Float64(nullable=True, min=0, description="PSI of the embeddings' distances")
    threshold = dy.Float64(nullable=True, min=0, description="a higher stability_index raises the alarm")
    outlying_share = dy.Float64(
        nullable=True, min=0, max=1, description="crops at a greater distance than 99 % of the training crops"
    )
    likeness = dy.String(
        nullable=True,
        regex=r"^(like|shifted|unlike)$",
        description="like: as in training; shifted: stability_index above the threshold, but few crops outlying; "
        "unlike: many crops outlying as well; null if no crop is scored",
    )
    alarm = dy.Bool(description="unlike: no verdict is given")
    detail = dy.String(description="the other columns as a sentence")


class SpatterTypes(ClipTable):
    """The type of spatter that each crop shows: found by clustering, named by people."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    event_index = dy.Int32(primary_key=True, min=0, description="foreign key: SpatterEvents")
    cluster = dy.Int32(min=0, description="0, 1, 2 … in order of increasing mean area")
    cluster_confidence = dy.Float32(min=0, max=1, description="1 at the cluster's centre, 0 on the border with another")
    label = dy.String(nullable=True, description="given by a person, or a pseudo-label; null if neither is available")
    label_source = dy.String(nullable=True, regex=r"^(person|pseudo)$")
    label_confidence = dy.Float32(
        nullable=True,
        min=0,
        max=1,
        description="of the most likely label, even if `label` is null; 1 if given by a person",
    )


class SpatterTypeFacts(dy.Schema):
    """Measurements of each cluster of `SpatterTypes`."""

    cluster = dy.Int32(primary_key=True, min=0)
    n_crops = dy.Int64(min=1)
    share = dy.Float64(min=0, max=1)
    area_px = dy.Float64(min=0, description="median")
    mean_brightness = dy.Float64(min=0, max=1, description="mean")
    peak_brightness = dy.Float64(min=0, max=1, description="mean")
    eccentricity = dy.Float64(min=0, max=1, description="mean; 0 is round")
    probability = dy.Float64(min=0, max=1, description="of high gas flow, mean")
    description = dy.String(description="the other columns as a sentence")


class SpatterTypeCounts(dy.Schema):
    """Quality of each candidate number of clusters; the chosen number is marked."""

    n_clusters = dy.Int32(primary_key=True, min=2)
    silhouette = dy.Float64(min=-1, max=1)
    stability = dy.Float64(min=-1, max=1, description="adjusted Rand index between clusterings of random halves")
    chosen = dy.Bool()


class SpatterLabelRequests(ClipTable):
    """The crops that a person should label next, most useful first; also exported as a CSV to fill in."""

    rank = dy.Int32(primary_key=True, min=0)
    clip = dy.String(regex=KEY_PATTERN)
    event_index = dy.Int32(min=0, description="foreign key: SpatterEvents")
    pts_s = dy.Float64()
    box_x1 = dy.Int32(min=0, description="pixels of the uncropped frame")
    box_y1 = dy.Int32(min=0)
    box_x2 = dy.Int32(min=0)
    box_y2 = dy.Int32(min=0)
    cluster = dy.Int32(min=0)
    uncertainty = dy.Float64(
        min=0, max=1, description="1 minus the confidence in the label, or in the cluster if there is no label"
    )


class SpatterLabelDecisions(ClipTable):
    """Labels that people gave to crops, in order. Rows are only appended; the last row for a crop counts.

    A crop is identified by its clip, time and box, which stay valid after a new extraction; its index does not.
    """

    decision = dy.Int32(primary_key=True, min=0, description="0, 1, 2 … in the order in which they were made")
    clip = dy.String(regex=KEY_PATTERN)
    pts_s = dy.Float64()
    box_x1 = dy.Int32(min=0, description="pixels of the uncropped frame")
    box_y1 = dy.Int32(min=0)
    box_x2 = dy.Int32(min=0)
    box_y2 = dy.Int32(min=0)
    label = dy.String(nullable=True, description="null withdraws an earlier label")
    labelled_by = dy.String(nullable=True)


class SpatterIndex(dy.Schema):
    """Every crop of all builds: where it is stored, its label, and its part in each split."""

    build = dy.String(primary_key=True, regex=KEY_PATTERN, description="partition key of the recording")
    event_index = dy.Int32(primary_key=True, min=0, description="foreign key: SpatterEvents")
    file = dy.String(description="the crops file (HDF5): a path or a URL")
    dataset = dy.String(description="HDF5 dataset in that file")
    ds_idx = dy.Int32(min=0, description="index in the dataset")
    layer = dy.Int32(min=0)
    label = dy.Int8(nullable=True, min=0, max=1, description="0 low, 1 high gas flow; null if unlabelled")
    position = dy.String(nullable=True, regex=r"^(left|mid|right)$")
    labels_json = dy.String(nullable=True, description="every label of the build, as a JSON object")
    excluded = dy.String(nullable=True, regex=r"^(undecodable|all black)$", description="why it is not used")
    split_random = dy.String(
        nullable=True, regex=r"^(train|validation|test)$", description="by crop; null if unlabelled or excluded"
    )
    split_layer = dy.String(
        nullable=True,
        regex=r"^(train|validation|test)$",
        description="layers kept whole; all null if this split is impossible",
    )
    split_build = dy.String(
        nullable=True,
        regex=r"^(train|validation|test)$",
        description="builds kept whole; all null if this split is impossible",
    )

    @dy.rule()
    def split_where_usable(cls):  # noqa: D102, N805
        usable = cls.label.col.is_not_null() & cls.excluded.col.is_null()
        return cls.split_random.col.is_not_null() == usable

    @dy.rule()
    def layer_in_one_part(cls):  # noqa: D102, N805
        return cls.split_layer.col.drop_nulls().n_unique().over("build", "layer") <= 1

    @dy.rule()
    def build_in_one_part(cls):  # noqa: D102, N805
        return cls.split_build.col.drop_nulls().n_unique().over("build") <= 1


class SpatterTraining(dy.Schema):
    """Training curve of the classifier, one row per epoch. Losses are binary cross-entropy in nats per crop."""

    epoch = dy.Int32(primary_key=True, min=1)
    train_loss = dy.Float64(min=0, description="mean over the epoch, while the weights change")
    train_accuracy = dy.Float64(min=0, max=1, description="likewise")
    validation_loss = dy.Float64(min=0, description="at the end of the epoch")
    validation_accuracy = dy.Float64(min=0, max=1)
    seconds = dy.Float64(min=0)
    best = dy.Bool(description="lowest validation loss: the weights of this epoch are used")


class SpatterEvaluation(dy.Schema):
    """Metrics of the classifier on each part of a split. High flow is the positive class."""

    split = dy.String(primary_key=True, description="how crops were split: by random crop, by build, by layer")
    part = dy.String(primary_key=True, regex=r"^(train|validation|test)$")
    n_crops = dy.Int64(min=1)
    true_low = dy.Int64(min=0)
    false_high = dy.Int64(min=0, description="low flow, classified as high")
    false_low = dy.Int64(min=0, description="high flow, classified as low")
    true_high = dy.Int64(min=0)
    accuracy = dy.Float64(min=0, max=1, description="at probability 0.5")
    balanced_accuracy = dy.Float64(
        nullable=True, min=0, max=1, description="mean recall of both classes; null if a class is absent"
    )
    roc_auc = dy.Float64(nullable=True, min=0, max=1, description="null if a class is absent")
    log_loss = dy.Float64(min=0, description="binary cross-entropy, nats per crop")
    brier_score = dy.Float64(min=0, max=1, description="mean squared error of the probability")
    calibration_error = dy.Float64(min=0, max=1, description="expected calibration error, 15 bins")


class SpatterBuildAccuracy(dy.Schema):
    """Accuracy of the classifier on each build."""

    split = dy.String(primary_key=True)
    part = dy.String(primary_key=True, regex=r"^(train|validation|test)$")
    build = dy.String(primary_key=True, regex=KEY_PATTERN)
    n_crops = dy.Int64(min=1)
    label = dy.Int8(min=0, max=1, nullable=True, description="0 low, 1 high; null if the build's crops have both")
    accuracy = dy.Float64(min=0, max=1)
    probability = dy.Float64(min=0, max=1, description="of high gas flow, mean over the build's crops")


class SpatterSearch(dy.Schema):
    """Every classifier that the recipe search has tried."""

    trial = dy.Int32(primary_key=True, min=0)
    architecture = dy.String()
    width = dy.Float64(min=0)
    batch_size = dy.Int64(min=1)
    learning_rate = dy.Float64(min=0)
    state = dy.String(regex=r"^(complete|failed)$")
    error = dy.String(nullable=True, description="why it failed")
    validation_accuracy = dy.Float64(nullable=True, min=0, max=1, description="of the best epoch")
    validation_loss = dy.Float64(nullable=True, min=0, description="of the best epoch")
    best_epoch = dy.Int32(nullable=True, min=1)
    n_parameters = dy.Int64(nullable=True, min=1)
    latency_ms = dy.Float64(nullable=True, min=0, description="per crop in a batch, on one CPU thread; varies")
    pareto = dy.Bool(description="no other trial is as accurate with fewer parameters, or more accurate with as few")


class SpatterEvents(ClipTable):
    """One row per spatter crop of a build, in the order of the crops."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    event_index = dy.Int32(primary_key=True, min=0, description="0, 1, 2 …")
    frame = dy.Int64(
        min=0, description="earlier frame of the pair that differs by the spatter, counted from start_frame"
    )
    video_frame = dy.Int64(min=0, description="the same frame, counted from the beginning of the video")
    pts_s = dy.Float64(description="presentation time of that frame")
    crop_video_frame = dy.Int64(
        min=0,
        description="frame that the crop is cut from, counted from the beginning of the video: the earlier one of the "
        "pair, or with `crop_from` brighter the one that is brighter within the box",
    )
    layer = dy.Int32(min=0, description="0, 1, 2 …; a pause longer than layer_gap_frames starts a new layer")
    box_x1 = dy.Int32(min=0, description="bounding box of the contour, pixels of the uncropped frame, half-open")
    box_y1 = dy.Int32(min=0)
    box_x2 = dy.Int32(min=1)
    box_y2 = dy.Int32(min=1)
    area_px = dy.Float64(min=0, description="enclosed by the contour")
    mean_brightness = dy.Float64(min=0, max=1, description="gray level of the crop")
    peak_brightness = dy.Float64(min=0, max=1, description="gray level of the crop")
    eccentricity = dy.Float64(min=0, max=1, description="of the ellipse with the contour's moments: 0 circle, 1 line")
    orientation_deg = dy.Float64(
        min=0, max_exclusive=180, description="from the x axis to the ellipse's long axis, clockwise as seen"
    )
    dataset = dy.String(description="HDF5 dataset in the crops file")
    ds_idx = dy.Int32(min=0, description="index in the dataset")


class SpatterFrameLog(ClipTable):
    """One row per compared pair of consecutive frames, identified by the earlier frame."""

    clip = dy.String(primary_key=True, regex=KEY_PATTERN)
    frame = dy.Int64(primary_key=True, min=0, description="counted from start_frame")
    pts_s = dy.Float64(description="presentation time of the frame")
    n_spatters = dy.Int32(min=0, description="crops of this frame and the next one")


class SpatterBuildLabels(dy.Schema):
    """Labels of builds, from a table that people maintain."""

    build = dy.String(primary_key=True, description="partition key of the recording")
    gas_flow = dy.String(nullable=True, regex=r"^(low|high)$")
    position = dy.String(nullable=True, regex=r"^(left|mid|right)$")
    labels_json = dy.String(nullable=True, description="every label of the build, as a JSON object")


class SpatterConsistency(dy.Schema):
    """Accuracy of consistency training, which adds unlabelled crops, and of supervised training on the same labels."""

    n_labelled = dy.Int32(primary_key=True, min=1, description="crops labelled with a gas flow")
    n_unlabelled = dy.Int32(min=1)
    n_test = dy.Int32(min=1, description="crops that neither training has seen")
    supervised_accuracy = dy.Float64(min=0, max=1)
    consistency_accuracy = dy.Float64(min=0, max=1)
