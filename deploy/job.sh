# A Hugging Face job: train every network on all cores and publish the checkpoints.
# It takes the code from the Space $NAME and publishes to the repository of the same name.
set -eu
export PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu # PyTorch without CUDA
pip install -q huggingface_hub
hf download "$NAME" --repo-type space --local-dir lab
cd lab
pip install -q -r requirements.txt
torchrun --standalone --nproc-per-node "$(nproc)" scripts/train.py --all
python scripts/publish.py checkpoints "$NAME"
