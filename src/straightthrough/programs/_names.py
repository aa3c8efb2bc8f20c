"""One name for an operator on every framework: ours where we have the operation, else the commonest spelling."""

from __future__ import annotations

import re

_SPELLINGS = {
    "round": "rint round_nearest_even round_half_to_even fix_round around",
    "trunc": "fix",
    "sign": "sgn",
    "heaviside": "step",
    "greater": "gt",
    "greater_equal": "ge",
    "less": "lt",
    "less_equal": "le",
    "equal": "eq",
    "not_equal": "ne",
    "argmax": "arg_max",
    "argmin": "arg_min",
    "top_k": "topk topkv2 approx_top_k",
    "sort": "msort",
    "floor_divide": "floordiv floor_div floormod_div",
    "remainder": "rem mod fmod floormod floor_mod truncatemod",
    "clip": "clamp clip_by_value clamp_min clamp_max hardtanh",
    "stop_gradient": "detach stopgradient lax_stop_gradient",
    "cast": "convert_element_type astype to type long int short char byte bool half float double bfloat16 type_as",
    "categorical": "random_categorical",
    "multinomial": "randommultinomial",
    "bernoulli": "random_bernoulli",
    "searchsorted": "upper_bound upperbound lower_bound lowerbound",
    "where": "select select_n selectv2 masked_fill",
    "absolute": "abs",
    "divide": "div true_divide truediv realdiv",
    "multiply": "mul",
    "subtract": "sub rsub",
    "add": "addv2 add_any iadd",
    "power": "pow float_power integer_pow",
    "matmul": "dot_general mm bmm batchmatmulv2 dot einsum_matmul",
    "logistic": "",
    "sigmoid": "logistic expit",
    "norm": "vector_norm linalg_norm linalg_vector_norm euclidean_norm",
    "max": "reduce_max amax maximum_reduce",
    "min": "reduce_min amin",
    "mean": "reduce_mean",
    "sum": "reduce_sum",
    "gather": "gatherv2 gathernd gather_nd index_select take take_along_axis take_along_dim",
    "index": "getitem strided_slice stridedslice slice dynamic_slice",
    "set_item": "setitem",
    "scatter": "scatternd tensorscatterupdate scatter_update",
    "one_hot": "onehot",
    "item": "tolist int_value float_value",
    "numpy": "array",
    "arctan2": "atan2",
    "log_softmax": "logsoftmax",
    "categorical_crossentropy": "softmaxcrossentropywithlogits",
    "cross_entropy": "sparsesoftmaxcrossentropywithlogits",
}

_OURS = {native: ours for ours, natives in _SPELLINGS.items() for native in [ours, *natives.split()] if natives}


def canonical(native: str) -> str:
    """Our name for a framework's: ``canonical("gt") == canonical("__gt__") == canonical("Greater") == "greater"``."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", native).lower().strip("_")
    plain = snake.replace("_", "")
    bare = re.sub(r"_?v\d+$", "", snake)
    return _OURS.get(snake) or _OURS.get(plain) or _OURS.get(bare.replace("_", "")) or bare
