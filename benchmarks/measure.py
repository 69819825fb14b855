"""Run each way of a benchmark in a process of its own, in turn, and print medians, spread and ratios."""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

# With one thread, CPU-seconds measure work. Threads that wait for each other would add time, most on a busy machine.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


def in_turn(module: str, ways: Sequence[str], repeats: int, words: Sequence[object]) -> dict[str, list[dict]]:
    """Run `python -m module *words --seed N --child way` for each way.

    Its last line is JSON with "cost" and "gigabytes".
    All ways run once, then again with the next seed, so that a busy machine affects them equally. Returns the results.
    """
    results: dict[str, list[dict]] = {way: [] for way in ways}
    for seed in range(repeats):
        for way in ways:
            command = [sys.executable, "-m", module, *map(str, words), "--seed", str(seed), "--child", way]
            done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **ONE_THREAD})
            if done.returncode:
                raise SystemExit(f"{way}:\n{done.stderr}")
            results[way].append(json.loads(done.stdout.splitlines()[-1]))
            print(way, results[way][-1], file=sys.stderr)
    return results


def table(results: dict[str, list[dict]], unit: str) -> str:
    """Format median, spread and ratio to the first way's median, and the highest memory of all repeats."""
    first = next(iter(results.values()))
    base, memory = statistics.median(run["cost"] for run in first), max(run["gigabytes"] for run in first)
    lines = [f"| way | {unit} | spread | against ours | peak GB | of ours |", "|---|---|---|---|---|---|"]
    for way, runs in results.items():
        costs, peak = sorted(run["cost"] for run in runs), max(run["gigabytes"] for run in runs)
        median = statistics.median(costs)
        lines.append(
            f"| {way} | {median:.2f} | {costs[0]:.2f}-{costs[-1]:.2f} | {median / base:.2f} | {peak:.2f} "
            f"| {peak / memory:.2f} |"
        )
    return "\n".join(lines)


def clock(cuda: bool) -> float:
    """Return the CPU-seconds of all threads of this process, or seconds if a GPU does the work."""
    if not cuda:
        return time.process_time()
    import torch

    torch.cuda.synchronize()
    return time.perf_counter()


def peak_gigabytes(cuda: bool, who: int = resource.RUSAGE_SELF) -> float:
    """Return the peak memory of this process (or of a child that has ended); on a GPU, that of torch."""
    if not cuda:
        return resource.getrusage(who).ru_maxrss / 2**20
    import torch

    return torch.cuda.max_memory_allocated() / 2**30
