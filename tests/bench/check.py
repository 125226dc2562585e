"""Compares lines of tests/bench/run with the targets. A target is a bound on the ratio: what must be reached, and what is hoped for. Where
a figure must stay the same, a ratio below 'lowest' is no success either: then what was compared was not alike."""
import json
import sys

AT_MOST, AT_LEAST = "<=", ">="
LOWEST = {"density_1000": 0.5}
TARGETS = {
    "warm_p50_vs_hop": (AT_MOST, 2.8, 2.3),
    "warm_qps_vs_hop": (AT_LEAST, 0.20, 0.27),
    "warm_p50_vs_python": (AT_MOST, 0.8, 0.65),
    "warm_qps_vs_python": (AT_LEAST, 6, 9),
    "http_p50_vs_grpc": (AT_MOST, 1.5, 1.3),
    "http_qps_vs_grpc": (AT_LEAST, 0.6, 0.75),
    "idle_cpu_percent": (AT_MOST, 1, 1),
    "idle_rss_mb": (AT_MOST, 1, 1),
    "warm_instance_uss_mb": (AT_MOST, 1, 0.5),
    "cold_p50_ms_100x6": (AT_MOST, 1, 2 / 3),
    "cold_p50_ms_1000x8": (AT_MOST, 1, 3 / 4),
    "cold_vs_exec_json": (AT_MOST, 1 / 100, 1 / 200),
    "cold_vs_python": (AT_MOST, 1 / 150, 1 / 300),
    **{f"cold_vs_warm_{size}": (AT_MOST, None, 5) for size in ("100x6", "1000x8")},
    **{f"cold_vs_rested_warm_{size}": (AT_MOST, None, 5) for size in ("100x6", "1000x8")},
    "cold_burst_last_ms": (AT_MOST, 1, 0.5),
    "cold_burst_last_ms_1000x8": (AT_MOST, 1.5, 1.2),
    "density_1000": (AT_MOST, 1.5, 1.2),
    "density_1000_mb": (AT_MOST, 1, 0.5),
    "sklearn_cold_vs_python": (AT_MOST, 0.10, 0.05),
    "sklearn_template_cold_vs_python": (AT_MOST, 0.03, 0.01),
    "sklearn_warm_vs_inprocess": (AT_MOST, 1.3, 1.15),
    "sklearn_warm_vs_full_speed": (AT_MOST, None, 1.3),
    "sklearn_private_memory_vs_processes": (AT_MOST, 0.4, 0.25),
    **{f"forest_row_vs_capi_{size}": (AT_MOST, 0.25, 0.15) for size in ("100x6", "500x6", "1000x8", "5x100")},
    "forest_batch_vs_capi_100x6": (AT_MOST, 1, 0.5),
    **{f"forest_batch_vs_capi_{size}": (AT_MOST, 0.6, 0.4) for size in ("500x6", "1000x8", "5x100")},
    **{f"forest_largest_vs_capi_{shape}": (AT_MOST, 1, 0.6)
       for shape in ("100x6", "500x6", "1000x8", "5x100", "stumps", "shallow", "deep", "wide")},
}


def reached(ratio, how, bound):
    return ratio <= bound if how == AT_MOST else ratio >= bound


def judge(ratio, how, must, stretch, lowest=None):
    """What to print, and whether what must be is so. Some figures have a hope only."""
    if how is None:
        return "no target", True
    if lowest is not None and ratio < lowest:
        return f">= {lowest:.3g}: NOT SO, the two sides were not alike", False
    if must is None:
        return f"hoped for: {how} {stretch:.3g}" + ("" if reached(ratio, how, stretch) else ": not"), True
    if reached(ratio, how, stretch):
        return f"{how} {must:.3g}: reached" + (f", and the stretch {stretch:.3g}" if stretch != must else ""), True
    if reached(ratio, how, must):
        return f"{how} {must:.3g}: reached (stretch {stretch:.3g}: not)", True
    return f"{how} {must:.3g}: NOT REACHED", False


def main(lines):
    failed = 0
    print(f"{'figure':<28} {'value':>12} {'unit':<12} {'ratio':>8}  must be")
    for line in lines:
        figure = json.loads(line)
        how, must, stretch = TARGETS.get(figure["name"], (None, None, None))
        verdict, good = judge(figure["ratio"], how, must, stretch, LOWEST.get(figure["name"]))
        failed += not good
        print(f"{figure['name']:<28} {figure['value']:>12} {figure['unit']:<12} {figure['ratio']:>8.4g}  {verdict}")
    return 1 if failed else 0


if __name__ == "__main__":
    with open(sys.argv[1]) if len(sys.argv) > 1 else sys.stdin as source:
        sys.exit(main([line for line in source if line.strip()]))
