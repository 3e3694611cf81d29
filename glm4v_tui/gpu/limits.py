"""What the system lets this process and its children have of memory, beside what there is."""

from __future__ import annotations

_GIB = 1 << 30


def address_space_limit() -> int | None:
    """Bytes that a process may map (``ulimit -v``); None without a limit, or where that is not to
    be known. A child has the same."""
    try:
        import resource
    except ImportError:  # no POSIX
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft


def limit_words() -> tuple[str, str] | None:
    """The limit as a reason, and what to do about it; None without one."""
    limit = address_space_limit()
    if limit is None:
        return None
    return (
        f"The address space of its processes is limited to {limit / _GIB:.1f} GiB (ulimit -v); "
        "the model's libraries alone map several GiB, used or not.",
        "Lift the limit and start again: ulimit -v unlimited (under a batch system ask it for "
        "more memory). To limit what is really used, use a cgroup: systemd-run --user --scope -p "
        "MemoryMax=16G glm4v-tui ...",
    )
