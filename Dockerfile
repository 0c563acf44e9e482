# syntax=docker/dockerfile:1
#
# Two images of one project:
#
#   docker build --target cpu --tag vidassets:cpu .
#   docker build --target gpu --tag vidassets:gpu .
#
# One volume holds all persistent data: artifacts (/data/data) and the Dagster instance (/data/.dagster_home). The
# webserver, the daemon (queues, sensors, schedules and backfills) and the command line use the same image:
#
#   docker run --init --detach --volume vidassets:/data --publish 127.0.0.1:3000:3000 vidassets:cpu
#   docker run --init --detach --volume vidassets:/data --no-healthcheck vidassets:cpu dagster-daemon run
#   docker run --init --rm --volume vidassets:/data --volume /my/videos:/videos:ro vidassets:cpu vidassets add /videos
#
# Add `--gpus all` for the gpu image. Mount videos at the same path in every container. The webserver has no
# authentication: keep its port on the loopback interface, or put an authenticating proxy in front of it. Containers on
# several machines need PostgreSQL (docs/postgres.md).

ARG CPU_BASE=python:3.11-slim-bookworm
ARG GPU_BASE=nvidia/cuda:12.8.1-cudnn-runtime-ubuntu24.04

# ---- system packages: libgl1 and glib for OpenCV ---------------------------------------------------------------------

FROM ${CPU_BASE} AS cpu-system
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*

# Ubuntu 24.04 has Python 3.12, and its glib package has the suffix t64.
FROM ${GPU_BASE} AS gpu-system
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libgl1 libglib2.0-0t64 python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*

# ---- Python packages, in a virtual environment that the images copy --------------------------------------------------

FROM cpu-system AS cpu-build
# Optional index of CPU-only torch wheels: the default wheels contain several GB of CUDA libraries.
ARG TORCH_INDEX_URL=""
WORKDIR /app
RUN python3 -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY . .
# In place: the profiles are looked for beside the package. embedded.txt comes without its dependencies, see its head.
RUN pip install --upgrade pip \
    && pip install ${TORCH_INDEX_URL:+--extra-index-url "$TORCH_INDEX_URL"} --editable ".[embedded,s3,postgres]" \
    && pip install --no-deps --require-hashes --requirement requirements/embedded.txt

FROM gpu-system AS gpu-build
WORKDIR /app
RUN python3 -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY . .
RUN pip install --upgrade pip \
    && pip install --editable ".[embedded,s3,postgres]" \
    && pip install --no-deps --require-hashes --requirement requirements/embedded.txt

# ---- the images ------------------------------------------------------------------------------------------------------

FROM cpu-system AS cpu
COPY --from=cpu-build /opt/venv /opt/venv
COPY --from=cpu-build /app /app
# The instance's settings are a link into the image, so that a new image updates them on an existing volume.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data vidassets \
    && install --directory --owner=vidassets --group=vidassets /data /data/.dagster_home \
    && ln -s /app/dagster.yaml /data/.dagster_home/dagster.yaml
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    VIDASSETS_HOME=/data \
    VIDASSETS_PROFILE=cpu \
    DAGSTER_HOME=/data/.dagster_home
WORKDIR /app
USER vidassets
VOLUME ["/data"]
EXPOSE 3000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:3000/server_info', timeout=4)"]
CMD ["dagster-webserver", "--host", "0.0.0.0", "--port", "3000"]

FROM gpu-system AS gpu
COPY --from=gpu-build /opt/venv /opt/venv
COPY --from=gpu-build /app /app
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data vidassets \
    && install --directory --owner=vidassets --group=vidassets /data /data/.dagster_home \
    && ln -s /app/dagster.yaml /data/.dagster_home/dagster.yaml
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    VIDASSETS_HOME=/data \
    VIDASSETS_PROFILE=gpu \
    DAGSTER_HOME=/data/.dagster_home
WORKDIR /app
USER vidassets
VOLUME ["/data"]
EXPOSE 3000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:3000/server_info', timeout=4)"]
CMD ["dagster-webserver", "--host", "0.0.0.0", "--port", "3000"]
