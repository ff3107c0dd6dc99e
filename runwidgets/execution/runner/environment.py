"""The part of the server's environment that a run inherits: no token and no secret."""

from collections.abc import Iterable, Mapping

INHERITED_NAMES = {
    "HOME",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TMPDIR",
    "TZ",
    "USER",
    "LANG",
    "LANGUAGE",
    "VIRTUAL_ENV",
}
JUPYTER_NAMES = {"JUPYTER_PATH", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_CONFIG_PATH"}
INHERITED_PREFIXES = (
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
        The server's environment.
    names : iterable of str
        Names that runs may have in addition to the default ones.

    Returns
    -------
    dict of str to str
        The variables that are allowed.
    """
    allowed = INHERITED_NAMES | JUPYTER_NAMES | set(names)
    return {
        name: value
        for name, value in inherited.items()
        if name in allowed or name.startswith(INHERITED_PREFIXES)
    }
