# What a job of the Hub runs: train every network on all the cores there are, and publish them.
# The code is that of the Space $NAME, the checkpoints go to the repository of the same name.
set -eu
export PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu # the torch without CUDA
pip install -q huggingface_hub
hf download "$NAME" --repo-type space --local-dir lab
cd lab
pip install -q -r requirements.txt
torchrun --standalone --nproc-per-node "$(nproc)" scripts/train.py --all
python scripts/publish.py checkpoints "$NAME"
