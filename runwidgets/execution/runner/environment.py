"""What a run may know of the environment of the server: no token, no secret of it."""

from collections.abc import Iterable, Mapping

NAMES = {"HOME", "LOGNAME", "PATH", "SHELL", "TMPDIR", "TZ", "USER", "LANG", "LANGUAGE", "VIRTUAL_ENV"}
JUPYTER_NAMES = {"JUPYTER_PATH", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_CONFIG_PATH"}
PREFIXES = (
    "CONDA_",
    "CUDA_",
    "DYLD_",
    "IPYTHON",
    "JULIA_",
    "LC_",
    "LD_",
    "MKL_",
    "MPL",
    "NUMBA_",
    "NVIDIA_",
    "OMP_",
    "OPENBLAS_",
    "PYTHON",
    "R_",
    "SSL_",
    "XDG_",
)


def run_environment(inherited: Mapping[str, str], names: Iterable[str] = ()) -> dict[str, str]:
    """Return the variables that runs inherit.

    Parameters
    ----------
    inherited : mapping of str to str
        All there are.
    names : iterable of str
        What runs may have beside the usual ones.

    Returns
    -------
    dict of str to str
        The allowed ones.
    """
    allowed = NAMES | JUPYTER_NAMES | set(names)
    return {name: value for name, value in inherited.items() if name in allowed or name.startswith(PREFIXES)}
