"""The only package that writes files that must last.

The recipe is tmp + fsync + rename + fsync(directory): of every crash state of a replacement, none
is torn and none that was acknowledged is lost (without the directory's fsync, 1 of 6 is). Temporary
names end in ``.tmp-<pid>-<random>`` so that `sweep` can remove what a killed process left. Who
writes holds a lock on it (flock), which ends with the process: `in_use` tells the two apart.

    locks         who writes
    files         single files; renaming, copying, removing
    growing       files that grow
    directories   directories with a manifest; sweeping
    sqlite        how SQLite's files are opened, and what goes wrong with them, in words
"""

from tunewright.durable.directories import (
    MANIFEST,
    copy_tree,
    directory,
    fingerprint,
    link,
    manifest,
    scratch,
    sweep,
    verify,
    write_manifest,
)
from tunewright.durable.files import (
    Upload,
    copy,
    is_temporary,
    link_or_copy,
    make_directory,
    move,
    move_unless_there,
    named_full_disk,
    read_json,
    remove,
    sha256,
    sync_directory,
    temporary,
    write_bytes,
    write_json,
)
from tunewright.durable.growing import Growing, Place, Spool
from tunewright.durable.locks import InUse, alone, claimed, in_use, only_one

__all__ = [
    "MANIFEST",
    "Growing",
    "InUse",
    "Place",
    "Spool",
    "Upload",
    "alone",
    "claimed",
    "copy",
    "copy_tree",
    "directory",
    "fingerprint",
    "in_use",
    "is_temporary",
    "link",
    "link_or_copy",
    "make_directory",
    "manifest",
    "move",
    "move_unless_there",
    "named_full_disk",
    "only_one",
    "read_json",
    "remove",
    "scratch",
    "sha256",
    "sweep",
    "sync_directory",
    "temporary",
    "verify",
    "write_bytes",
    "write_json",
    "write_manifest",
]
