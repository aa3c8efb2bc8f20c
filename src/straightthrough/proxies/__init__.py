"""Proxies: the functions whose derivatives stand in for those of hard operators.

A proxy is a function; its derivative is what counts. Each name below is a family: call it with numbers or arrays to
have a proxy (``clipped_relu(width=2.0)``), or give an operation its name (``proxy="clipped_relu"``). Any callable of
your own is a proxy as well, and is differentiated by the framework.

The examples of the families show slopes with PyTorch (``import torch``); the numbers are the same on every framework.

A kink lies where its number falls in the dtype of the computation: that of x for piecewise constant slopes, float32 for
the others in half types (float32's 0.1 is not 0.1).

Two names mean two functions in the field. *Fast sigmoid*, *SuperSpike*: here ``1/(1 + k|x|)²``; SpikingJelly's alpha is
the height: ``scaled(fast_sigmoid(sharpness=1), alpha)``. *atan*: snnTorch's docs and code differ by a factor, ours is
the code. *triangular*: see ``describe("triangle")``. *erf*: ``gaussian(std=1/(alpha·√2))``. *hard sigmoid*: ``boxcar``.
"""

from straightthrough.proxies import schedule as schedule
from straightthrough.proxies._proxy import Family as Family
from straightthrough.proxies._proxy import Proxy as Proxy
from straightthrough.proxies.bumps import approx_sign as approx_sign
from straightthrough.proxies.bumps import boxcar as boxcar
from straightthrough.proxies.bumps import reste as reste
from straightthrough.proxies.bumps import sparse_fast_sigmoid as sparse_fast_sigmoid
from straightthrough.proxies.bumps import square_wave as square_wave
from straightthrough.proxies.bumps import triangle as triangle
from straightthrough.proxies.clips import clipped_identity as clipped_identity
from straightthrough.proxies.clips import clipped_relu as clipped_relu
from straightthrough.proxies.clips import identity as identity
from straightthrough.proxies.clips import leaky_relu as leaky_relu
from straightthrough.proxies.clips import log_tailed_relu as log_tailed_relu
from straightthrough.proxies.clips import piecewise_leaky as piecewise_leaky
from straightthrough.proxies.clips import range_mask as range_mask
from straightthrough.proxies.clips import relu as relu
from straightthrough.proxies.lookup import describe as describe
from straightthrough.proxies.lookup import get as get
from straightthrough.proxies.lookup import names as names
from straightthrough.proxies.noise import from_noise as from_noise
from straightthrough.proxies.picture import plot as plot
from straightthrough.proxies.selections import softmax as softmax
from straightthrough.proxies.sigmoids import atan as atan
from straightthrough.proxies.sigmoids import circ as circ
from straightthrough.proxies.sigmoids import ede as ede
from straightthrough.proxies.sigmoids import exponential as exponential
from straightthrough.proxies.sigmoids import fast_sigmoid as fast_sigmoid
from straightthrough.proxies.sigmoids import gaussian as gaussian
from straightthrough.proxies.sigmoids import log_abs as log_abs
from straightthrough.proxies.sigmoids import q_pseudo_spike as q_pseudo_spike
from straightthrough.proxies.sigmoids import s2nn as s2nn
from straightthrough.proxies.sigmoids import sigmoid as sigmoid
from straightthrough.proxies.sigmoids import soft_sign as soft_sign
from straightthrough.proxies.sigmoids import spike_rate_escape as spike_rate_escape
from straightthrough.proxies.sigmoids import swish_sign as swish_sign
from straightthrough.proxies.sigmoids import tanh as tanh
from straightthrough.proxies.widths import matched as matched
from straightthrough.proxies.widths import scaled as scaled
