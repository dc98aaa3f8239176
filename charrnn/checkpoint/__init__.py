"""Checkpoints as safetensors files: save, load, validate; no code is executed."""

from charrnn.checkpoint.checkpoint_info import CheckpointInfo
from charrnn.checkpoint.disk_space import require_room
from charrnn.checkpoint.file_names import FILES, MODEL, RUN, STEPS, has_run_state
from charrnn.checkpoint.folder_locking import FolderLock, folder_lock
from charrnn.checkpoint.listing import checkpoint_folders, list_checkpoints
from charrnn.checkpoint.loading import Checkpoint, describe, load, load_run, load_state_dict
from charrnn.checkpoint.metadata_schema import MAX_NAME_CHARS
from charrnn.checkpoint.overwrite_rules import RunIdentity, Target, Verdict, examine
from charrnn.checkpoint.safetensors_io import MAX_FILE_BYTES, CheckpointError, resolve_inside, sha256_tensors
from charrnn.checkpoint.saving import remove_run, save, save_run
from charrnn.checkpoint.stored_analyses import ANALYSES, Analyses, require_replaceable, write_analyses
