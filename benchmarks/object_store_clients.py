"""CPU and wall seconds of S3 clients: s3fs, obstore and boto3, each in a process of its own, side by side.

    pip install s3fs obstore boto3 "moto[server]"; python benchmarks/object_store_clients.py

Data: a moto server on the loopback interface. List 2,000 objects; read 100 random ranges of 512 KiB of a 10 MB object;
put 50 objects of 1 MB. CPU seconds are those of the client's process, the server's are not counted. Best of 3 runs.
Decision 0008 quotes the figures.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from vidassets_tests.s3_server import CREDENTIALS, s3_server_process

N_OBJECTS, N_RANGES, N_PUTS = 2_000, 100, 50
RANGE_BYTES, LARGE_BYTES = 512 * 1024, 10_000_000
CLIENTS = ("s3fs", "obstore", "boto3")
Operations = dict[str, Callable[[], object]]


def offsets() -> list[int]:
    """Return the starts of the ranges, the same in every run."""
    return [random.Random(index).randrange(LARGE_BYTES - RANGE_BYTES) for index in range(N_RANGES)]


def boto3_operations(endpoint_url: str) -> Operations:
    import boto3
    from botocore.config import Config

    client = boto3.Session().client("s3", endpoint_url=endpoint_url, config=Config(s3={"addressing_style": "path"}))

    def ranges() -> None:
        for start in offsets():
            wanted = f"bytes={start}-{start + RANGE_BYTES - 1}"
            client.get_object(Bucket="bench", Key="large.mp4", Range=wanted)["Body"].read()

    def listing() -> int:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket="bench", Prefix="many/")
        return sum(len(page["Contents"]) for page in pages)

    def puts() -> None:
        for index in range(N_PUTS):
            client.put_object(Bucket="bench", Key=f"put/{index}", Body=bytes(1_000_000))

    return {"list": listing, "ranges": ranges, "put": puts}


def s3fs_operations(endpoint_url: str) -> Operations:
    from s3fs import S3FileSystem

    filesystem = S3FileSystem(endpoint_url=endpoint_url, use_listings_cache=False, skip_instance_cache=True)

    def ranges() -> None:
        for start in offsets():
            filesystem.cat_file("bench/large.mp4", start=start, end=start + RANGE_BYTES)

    def puts() -> None:
        for index in range(N_PUTS):
            filesystem.pipe_file(f"bench/put/{index}", bytes(1_000_000))

    return {"list": lambda: len(filesystem.find("bench/many", detail=True)), "ranges": ranges, "put": puts}


def obstore_operations(endpoint_url: str) -> Operations:
    from obstore.store import S3Store

    store = S3Store("bench", endpoint=endpoint_url, client_options={"allow_http": True})

    def ranges() -> None:
        for start in offsets():
            bytes(store.get_range("large.mp4", start=start, length=RANGE_BYTES))

    def puts() -> None:
        for index in range(N_PUTS):
            store.put(f"put/{index}", bytes(1_000_000))

    return {"list": lambda: len(store.list("many").collect()), "ranges": ranges, "put": puts}


OPERATIONS = {"s3fs": s3fs_operations, "obstore": obstore_operations, "boto3": boto3_operations}


def child(name: str, endpoint_url: str) -> None:
    """Print the CPU and wall seconds of every operation of one client as JSON, best of 3."""
    before = time.process_time(), time.perf_counter()
    operations = OPERATIONS[name](endpoint_url)
    figures = {"import": (time.process_time() - before[0], time.perf_counter() - before[1])}
    operations["list"]()  # opens the connection
    for operation, run in operations.items():
        runs = []
        for _ in range(3):
            before = time.process_time(), time.perf_counter()
            run()
            runs.append((time.process_time() - before[0], time.perf_counter() - before[1]))
        figures[operation] = min(runs)
    print(json.dumps(figures))


def main() -> None:
    if len(sys.argv) > 1:
        child(*sys.argv[1:])
        return
    os.environ |= CREDENTIALS
    with tempfile.TemporaryDirectory() as folder, s3_server_process(Path(folder, "log")) as endpoint_url:
        import boto3

        client = boto3.Session().client("s3", endpoint_url=endpoint_url)
        client.create_bucket(Bucket="bench")
        client.put_object(Bucket="bench", Key="large.mp4", Body=bytes(LARGE_BYTES))
        for index in range(N_OBJECTS):
            client.put_object(Bucket="bench", Key=f"many/{index:05d}.mp4", Body=b"")
        print(f"{'client':8} {'operation':10} {'CPU s':>7} {'wall s':>7}")
        for name in CLIENTS:
            command = [sys.executable, __file__, name, endpoint_url]
            printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            for operation, (cpu_s, wall_s) in json.loads(printed).items():
                print(f"{name:8} {operation:10} {cpu_s:7.2f} {wall_s:7.2f}")


if __name__ == "__main__":
    main()
