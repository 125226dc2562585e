"""Models of the installed XGBoost (1.7) as later versions would have written them: no such version is needed to test that its files are read.

Where the versions differ, of those that have trees of one value a leaf:

    2.0    the model says where each round's trees start (iteration_indptr); a leaf has 1 value, where 1.7 said 0
    3.1    base_score is a list, with one number for each output; the names of categories stand in the model (cats)
    3.3    dropout is no booster of its own any more: its weights stand beside the model of a gbtree
    3.4    and then inside it

UBJSON is written as XGBoost writes it: lengths are 64 bits, arrays of numbers state their type once, and which type that is depends on
the array.
"""
import copy
import json
import struct

VERSIONS = {"2.0": [2, 0, 3], "2.1": [2, 1, 4], "3.0": [3, 0, 5], "3.1": [3, 1, 3], "3.3": [3, 3, 0], "3.4": [3, 4, 1]}


def document(booster):
    return json.loads(booster.save_raw("json"))


def trees_of(learner):
    """The object with the trees, whatever the booster."""
    booster = learner["gradient_booster"]
    return booster.get("gbtree", booster)["model"]


# ---- what versions change ----

def outputs(learner):
    parameters = learner["learner_model_param"]
    return max(1, int(parameters["num_class"]), int(parameters.get("num_target", 1)))


def add_rounds(learner):
    model = trees_of(learner)
    a_round = outputs(learner) * int(model["gbtree_model_param"].get("num_parallel_tree", 1))
    model["iteration_indptr"] = list(range(0, len(model["trees"]) + 1, a_round))
    model["gbtree_model_param"].pop("size_leaf_vector", None)
    for tree in model["trees"]:
        tree["tree_param"]["size_leaf_vector"] = "1"
    learner["learner_model_param"]["boost_from_average"] = "1"


def list_base_scores(learner):
    parameters = learner["learner_model_param"]
    score = f"{float(parameters['base_score']):.9E}"
    parameters["base_score"] = "[" + ",".join([score] * outputs(learner)) + "]"


def category_names(kind, at):
    """Columns of numbers have no names; of the others some had words for categories, some numbers."""
    if kind != "c":
        return {"offsets": [], "values": []}
    if at % 2:
        return {"type": 7, "values": [3, 1, 4, 15, 9, 2, 6, 5]}
    words = [f"category {i}" for i in range(8)]
    ends = [sum(map(len, words[:i])) for i in range(len(words) + 1)]
    return {"offsets": ends, "values": list("".join(words).encode())}


def name_categories(learner):
    kinds = learner.get("feature_types") or []
    cats = {"enc": [], "feature_segments": [], "sorted_idx": []}
    if "c" in kinds:
        cats["enc"] = [category_names(kind, i) for i, kind in enumerate(kinds)]
        segments = [0]
        for kind in kinds:
            segments.append(segments[-1] + (8 if kind == "c" else 0))
        cats["feature_segments"], cats["sorted_idx"] = segments, [i % 8 for i in range(segments[-1])]
    trees_of(learner)["cats"] = cats


def move_weights(learner, inside):
    booster = learner["gradient_booster"]
    if booster["name"] != "dart":
        return
    weights = booster["weight_drop"]
    learner["gradient_booster"] = booster = {"model": booster["gbtree"]["model"], "name": "gbtree"}
    (booster["model"] if inside else booster)["weight_drop"] = weights


def as_of(written, version):
    """The document of this name of VERSIONS."""
    out = copy.deepcopy(written)
    out["version"] = VERSIONS[version]
    learner = out["learner"]
    add_rounds(learner)
    if VERSIONS[version] >= [3, 1]:
        list_base_scores(learner)
        name_categories(learner)
    if VERSIONS[version] >= [3, 3]:
        move_weights(learner, inside=VERSIONS[version] >= [3, 4])
    return out


# ---- formats ----

def to_json(written):
    return json.dumps(written, separators=(",", ":")).encode()


INTEGERS = {"left_children": "l", "right_children": "l", "parents": "l", "split_indices": "l", "categories": "l", "categories_nodes": "l",
            "default_left": "U", "split_type": "U", "categories_segments": "L", "categories_sizes": "L",
            "offsets": "l", "feature_segments": "l", "sorted_idx": "l"}
FLOATS = {"base_weights", "loss_changes", "split_conditions", "sum_hessian", "leaf_weights"}
PACKED = {"i": "b", "U": "B", "I": "h", "l": "i", "L": "q", "d": "f"}
CATEGORY_TYPES = {7: "l"}


def length(n):
    return b"L" + struct.pack(">q", n)


def text(value):
    return length(len(value.encode())) + value.encode()


def typed(letter, values):
    return b"[$" + letter.encode() + b"#" + length(len(values)) + struct.pack(f">{len(values)}{PACKED[letter]}", *values)


def integer(value):
    for letter, bits in (("i", 7), ("I", 15), ("l", 31), ("L", 63)):
        if -(1 << bits) < value < (1 << bits) - 1:
            return letter.encode() + struct.pack(">" + PACKED[letter], value)
    raise ValueError(value)


def members(value):
    out = b"{"
    for key, member in sorted(value.items()):
        out += text(key)
        if key in INTEGERS:
            out += typed(INTEGERS[key], member)
        elif key in FLOATS:
            out += typed("d", member)
        elif key == "values":
            out += typed(CATEGORY_TYPES[value["type"]] if "type" in value else "i", member)
        else:
            out += to_ubjson(member)
    return out + b"}"


def to_ubjson(value):
    if isinstance(value, dict):
        return members(value)
    if isinstance(value, list):
        return b"[#" + length(len(value)) + b"".join(map(to_ubjson, value))
    if isinstance(value, str):
        return b"S" + text(value)
    if isinstance(value, bool):
        return b"T" if value else b"F"
    if isinstance(value, int):
        return integer(value)
    return b"d" + struct.pack(">f", value)


def every_layout(booster):
    """{file name: bytes}: the booster by every version, in both formats."""
    written = document(booster)
    out = {}
    for version in VERSIONS:
        out[f"{version}.json"] = to_json(as_of(written, version))
        out[f"{version}.ubj"] = to_ubjson(as_of(written, version))
    return out
