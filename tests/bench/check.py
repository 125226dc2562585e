"""Compares lines of tests/bench/run with the targets. A target is a bound on the ratio: what must be reached, and what is hoped for."""
import json
import sys

AT_MOST, AT_LEAST = "<=", ">="
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
    **{f"forest_row_vs_capi_{size}": (AT_MOST, 0.25, 0.15) for size in ("100x6", "500x6", "1000x8", "5x100")},
    "forest_batch_vs_capi_100x6": (AT_MOST, 1, 0.5),
    **{f"forest_batch_vs_capi_{size}": (AT_MOST, 0.6, 0.4) for size in ("500x6", "1000x8", "5x100")},
}


def reached(ratio, how, bound):
    return ratio <= bound if how == AT_MOST else ratio >= bound


def main(lines):
    failed = 0
    print(f"{'figure':<28} {'value':>12} {'unit':<12} {'ratio':>8}  must be")
    for line in lines:
        figure = json.loads(line)
        how, must, stretch = TARGETS.get(figure["name"], (None, None, None))
        if how is None:
            verdict = "no target"
        elif reached(figure["ratio"], how, stretch):
            verdict = f"{how} {must}: reached" + (f", and the stretch {stretch}" if stretch != must else "")
        elif reached(figure["ratio"], how, must):
            verdict = f"{how} {must}: reached (stretch {stretch}: not)"
        else:
            verdict, failed = f"{how} {must}: NOT REACHED", failed + 1
        print(f"{figure['name']:<28} {figure['value']:>12} {figure['unit']:<12} {figure['ratio']:>8.3f}  {verdict}")
    return 1 if failed else 0


if __name__ == "__main__":
    with open(sys.argv[1]) if len(sys.argv) > 1 else sys.stdin as source:
        sys.exit(main([line for line in source if line.strip()]))
