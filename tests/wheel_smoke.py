"""Run by `make wheel-test` inside a clean environment: does the built wheel work there?

python -I tests/wheel_smoke.py bare    nothing but the wheel is installed
python -I tests/wheel_smoke.py jax     with the extras jax and cli
"""

import importlib.util
import subprocess
import sys
import time
from pathlib import Path


def ste(*arguments: str) -> subprocess.CompletedProcess:
    command = Path(sys.executable).with_name("ste")
    return subprocess.run([command, *arguments], capture_output=True, text=True, check=False)


def bare() -> None:
    start = time.perf_counter()
    import straightthrough

    print(f"import: {1000 * (time.perf_counter() - start):.1f} ms, {len(straightthrough.__all__)} public names")
    assert "site-packages" in straightthrough.__file__, straightthrough.__file__
    assert (Path(straightthrough.__file__).parent / "py.typed").exists()
    assert importlib.util.find_spec("numpy") is None, "this environment is not a bare one"
    done = ste("--help")
    assert done.returncode != 0, "without typer the command cannot work"
    assert "straightthrough[cli]" in done.stderr + done.stdout, done.stderr + done.stdout
    assert "Traceback" not in done.stderr, done.stderr
    print("ste without typer:", (done.stderr + done.stdout).strip())


def jax() -> None:
    import jax
    import jax.numpy as jnp

    import straightthrough as ste_

    x = jnp.array([-1.6, 0.4, 2.5])
    value, gradient = ste_.round(x), jax.grad(lambda x: (x * ste_.round(x)).sum())(x)
    assert value.tolist() == [-2.0, 0.0, 2.0], value
    # d(x·round(x)) = round(x) + x·1: the identity is round's default proxy
    assert jnp.allclose(gradient, value + x), gradient
    done = ste("--help")
    assert done.returncode == 0, done.stderr
    assert "demo" in done.stdout, done.stdout
    print(
        f"jax {jax.__version__}: round({x.tolist()}) = {value.tolist()}, gradient {gradient.tolist()}; ste --help works"
    )


if __name__ == "__main__":
    {"bare": bare, "jax": jax}[sys.argv[1]]()
