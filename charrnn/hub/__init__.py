"""
Download from and upload to the Hugging Face Hub.

The Hub library handles the token (`hf auth login`, HF_TOKEN): it is never an argument here and never printed.
"""

from charrnn.hub.bundled_fallback import fetch_with_fallback
from charrnn.hub.download import Origin, commit_of, fetch, require_repository, resolve
from charrnn.hub.errors import HubError
from charrnn.hub.model_card import checkpoint_card
from charrnn.hub.space import push_space, require_space, space_release, static_release
from charrnn.hub.upload import PushResult, Release, planned, push, release, require_ours, retry_line
